//! Requests to the program's HTTP side.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// Asks one server.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What it answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    fn of(response: ureq::http::Response<ureq::Body>) -> Result<Self, String> {
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_ascii_lowercase(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut answer = Self { status: head.status.as_u16(), headers: headers.collect(), body: Vec::new() };
        body.into_reader().read_to_end(&mut answer.body).map_err(|error| error.to_string())?;
        Ok(answer)
    }

    /// The field of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }
}

impl Client {
    /// Asks the server at `address`.
    pub fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_redirects(0)
            .proxy(None)
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// `GET`; an error when no answer comes.
    pub fn try_get(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let response = request.call().map_err(|error| format!("GET {path}: {error}"))?;
        Answer::of(response).map_err(|error| format!("GET {path}: {error}"))
    }

    /// `DELETE`; panics when no answer comes.
    pub fn delete(&self, path: &str) -> Answer {
        self.delete_with(path, &[])
    }

    /// `DELETE` with fields; panics when no answer comes.
    pub fn delete_with(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.delete(format!("{}{path}", self.base));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let response = request.call();
        let answer = response.map_err(|error| error.to_string()).and_then(Answer::of);
        answer.unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    /// A request with a body of JSON, or none; panics when no answer comes.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| error.to_string())
            .and_then(|request| self.agent.run(request).map_err(|error| error.to_string()))
            .and_then(Answer::of);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// `GET`; panics when no answer comes.
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// `GET` with fields; panics when no answer comes.
    pub fn get_with(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.try_get(path, fields).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// `GET` of JSON; panics unless the answer is a success.
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }
}
