//! Mistakes with receivers.

use std::sync::Arc;
use std::time::Duration;

use livetape_finalize::sink::{Delivering, Event, EventSink, Outcome};

/// Counts an event as delivered, and sends it a moment later.
pub struct HastySink(Arc<dyn EventSink>);

impl HastySink {
    /// In front of `sink`.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self(sink)
    }
}

impl EventSink for HastySink {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        let (sink, event) = (self.0.clone(), event.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            sink.deliver(&event).await
        });
        Box::pin(std::future::ready(Outcome::Delivered { status: 200, answer: String::new() }))
    }
}
