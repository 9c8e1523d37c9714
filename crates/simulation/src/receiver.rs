//! A webhook receiver with a script, which remembers everything that reached it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use livetape_finalize::sink::{Delivering, Event, EventSink, Outcome};

use crate::journal::{Delivery, Effect, Journal};

/// What becomes of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverAct {
    /// The receiver has it, and says so.
    Take,
    /// HTTP 503: it does not have it.
    Refuse,
    /// It has it, but no answer comes in time.
    TakeAndSayNothing,
    /// It has it and says so, after this long.
    Slow(Duration),
    /// The connection breaks before it has it.
    Reset,
}

/// A receiver. Cheap to clone.
#[derive(Clone)]
pub struct SimReceiver {
    endpoint: String,
    journal: Journal,
    script: Arc<[ReceiverAct]>,
    calls: Arc<AtomicUsize>,
}

impl SimReceiver {
    /// The receiver behind `endpoint`: what reaches it goes to `journal`. It meets attempts as `script` says;
    /// when that is over, it takes everything.
    pub fn new(endpoint: &str, journal: Journal, script: &[ReceiverAct]) -> Self {
        Self { endpoint: endpoint.to_owned(), journal, script: script.into(), calls: Arc::default() }
    }

    fn keep(&self, event: &Event) {
        self.journal.push(Effect::Delivered(Delivery {
            endpoint: self.endpoint.clone(),
            event: event.id.clone(),
            kind: event.kind.clone(),
            body: event.body.clone(),
        }));
    }
}

impl EventSink for SimReceiver {
    fn describe(&self) -> String {
        format!("simulated receiver {}", self.endpoint)
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let act = self.script.get(call).copied().unwrap_or(ReceiverAct::Take);
        let delivered = Outcome::Delivered { status: 200, answer: String::new() };
        let failed = |status, error: &str| Outcome::Failed {
            status,
            error: error.to_owned(),
            answer: String::new(),
            retry_after: None,
        };
        Box::pin(async move {
            match act {
                ReceiverAct::Take => {
                    self.keep(event);
                    delivered
                }
                ReceiverAct::Refuse => failed(Some(503), "busy"),
                ReceiverAct::TakeAndSayNothing => {
                    self.keep(event);
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    failed(None, "no answer within 10 s")
                }
                ReceiverAct::Slow(time) => {
                    tokio::time::sleep(time).await;
                    self.keep(event);
                    delivered
                }
                ReceiverAct::Reset => failed(None, "connection reset"),
            }
        })
    }
}
