//! A question to a server of the operator's, which it answers by a status.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, USER_AGENT};

use super::{ReceiverUrl, WebhookClient, causes, read_body};

impl WebhookClient {
    /// Posts `body`, which is JSON, to `url`: the status of the answer, or why there is none. A redirect is an answer.
    ///
    /// Takes no longer than the attempt at a delivery may.
    pub async fn ask(&self, url: &ReceiverUrl, body: Bytes) -> Result<u16, String> {
        let request = Request::post(url.uri())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("livetape/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))
            .map_err(|error| format!("the request could not be made: {error}"))?;
        let asked = async {
            let response = self.client.request(request).await.map_err(|error| causes(&error))?;
            let status = response.status().as_u16();
            // So that the connection can be used again.
            read_body(response.into_body()).await;
            Ok(status)
        };
        let limit = self.attempt_timeout;
        tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(format!("no whole answer within {limit:?}")))
    }
}
