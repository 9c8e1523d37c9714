//! A body in memory, sent in slices.
//!
//! Slices share the memory of the whole; none is copied. A body that is no one piece of memory to the SDK goes out as
//! it is, with `Content-Length` and `x-amz-content-sha256: UNSIGNED-PAYLOAD`.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::rate::Rate;

/// What is sent at once.
const SLICE_BYTES: usize = 64 << 10;
/// A body that waits its turn shows itself this often: the SDK takes one that is silent for a second for a service
/// that does not read.
const SIGN_OF_LIFE: Duration = Duration::from_millis(250);

/// `data` as a body that can be sent again, at most at `rate`.
pub(crate) fn body(data: &Bytes, rate: &Arc<Rate>) -> ByteStream {
    let (data, rate) = (data.clone(), Arc::clone(rate));
    ByteStream::new(SdkBody::retryable(move || {
        SdkBody::from_body_1_x(Slices { rest: data.clone(), rate: Arc::clone(&rate), turn: None, sleep: None })
    }))
}

/// A body under way.
struct Slices {
    rest: Bytes,
    rate: Arc<Rate>,
    /// When the next slice may go, once that is known.
    turn: Option<Option<Instant>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Slices {
    /// Whether the slice whose turn is at `turn` may go.
    fn poll_turn(&mut self, turn: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            if now >= turn {
                return Poll::Ready(());
            }
            let wake = turn.min(now + SIGN_OF_LIFE);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wake)));
            if sleep.is_elapsed() {
                sleep.as_mut().reset(wake);
            }
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let len = this.rest.len().min(SLICE_BYTES);
        if len == 0 {
            return Poll::Ready(None);
        }
        let turn = *this.turn.get_or_insert_with(|| this.rate.take(u64::try_from(len).unwrap_or(u64::MAX)));
        if let Some(turn) = turn
            && this.poll_turn(turn, context).is_pending()
        {
            return Poll::Pending;
        }
        this.turn = None;
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn numbered(len: usize) -> Bytes {
        (0..=250u8).cycle().take(len).collect()
    }

    #[tokio::test]
    async fn the_bytes_come_out_in_slices_of_the_same_memory() {
        for len in [0, 1, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 5 * SLICE_BYTES + 7] {
            let data = numbered(len);
            let mut body = body(&data, &Rate::new(0)).into_inner();
            assert_eq!(body.bytes(), None, "not one piece of memory to the SDK, or it is hashed and signed");
            assert_eq!(body.content_length(), Some(u64::try_from(len).unwrap()));
            let mut offset = 0;
            while let Some(frame) = body.frame().await {
                let slice = frame.unwrap().into_data().unwrap();
                assert!(slice.len() <= SLICE_BYTES);
                assert_eq!(slice.as_ptr(), data[offset..].as_ptr(), "copied");
                offset += slice.len();
            }
            assert_eq!(offset, len);
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn the_body_can_be_sent_again_from_its_beginning() {
        let data = numbered(3 * SLICE_BYTES);
        let mut first = body(&data, &Rate::new(0)).into_inner();
        first.frame().await.unwrap().unwrap();
        let again = first.try_clone().unwrap();
        assert_eq!(again.collect().await.unwrap().to_bytes(), data);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_holds_it_back_and_it_shows_signs_of_life() {
        let rate = Rate::new(u64::try_from(SLICE_BYTES).unwrap());
        let data = numbered(10 * SLICE_BYTES);
        let mut body = body(&data, &rate).into_inner();
        let begun = Instant::now();
        let mut polls = 0;
        let mut arrived = Vec::new();
        loop {
            let next = std::future::poll_fn(|context| {
                polls += 1;
                Pin::new(&mut body).poll_frame(context)
            });
            let Some(frame) = next.await else { break };
            arrived.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert_eq!(arrived, data);
        assert!(begun.elapsed() > Duration::from_millis(8_800), "{:?}", begun.elapsed());
        assert!(polls > 36, "{polls} polls in nine seconds of waiting");
    }
}
