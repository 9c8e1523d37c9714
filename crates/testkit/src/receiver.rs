//! A webhook receiver inside the test: keeps what is delivered, checks every signature with a
//! foreign library, and answers as the test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use standardwebhooks::Webhook;

use crate::deadline::eventually;

/// The secret that signs the deliveries of every test.
pub const SECRET: &str = "whsec_bGl2ZXRhcGUtdGVzdHMtc2lnbi13aXRoLXRoaXM=";

/// One delivery as it arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When.
    pub at: Instant,
    /// The request's target.
    pub target: String,
    /// The fields, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
    /// What is wrong with its signature, if anything.
    pub forged: Option<String>,
    /// What it was answered.
    pub reply: Reply,
}

impl Delivery {
    /// The event's type.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    /// The field of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// How the receiver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// With this status.
    Status(u16),
    /// Closes the connection without a word.
    Close,
    /// A redirect to this address.
    Redirect(String),
    /// With a success, but only after this long.
    Late(Duration),
}

impl Reply {
    /// Whether it says that the event was taken.
    pub fn accepts(&self) -> bool {
        matches!(self, Self::Status(200..=299) | Self::Late(_))
    }
}

type Script = Box<dyn FnMut(&Delivery) -> Reply + Send>;

/// The receiver. Stops when the test's process does.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Delivery>>>,
    script: Arc<Mutex<Script>>,
    any_calendar: Arc<AtomicBool>,
}

impl Receiver {
    /// Listens, and answers everything with 204.
    pub fn start() -> Self {
        Self::answering(|_| Reply::Status(204))
    }

    /// Listens, and answers as `script` says.
    pub fn answering(script: impl FnMut(&Delivery) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let any_calendar = Arc::new(AtomicBool::new(false));
        let (keep, answer, any) = (Arc::clone(&seen), Arc::clone(&script), Arc::clone(&any_calendar));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (keep, answer, any) = (Arc::clone(&keep), Arc::clone(&answer), Arc::clone(&any));
                thread::spawn(move || serve(stream, &keep, &answer, &any));
            }
        });
        Self { address, seen, script, any_calendar }
    }

    /// Takes signatures of any time: the sender's calendar is wrong.
    pub fn take_any_calendar(&self) {
        self.any_calendar.store(true, Ordering::Relaxed);
    }

    /// Answers as `script` says from now on.
    pub fn answer(&self, script: impl FnMut(&Delivery) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Everything delivered so far, in the order it came.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.seen.lock().unwrap().clone()
    }

    /// Looks at everything delivered so far, in the order it came.
    pub fn each(&self, mut look: impl FnMut(&Delivery)) {
        self.seen.lock().unwrap().iter().for_each(&mut look);
    }

    /// Waits until what was delivered satisfies `enough`; all of it. Panics if a signature is wrong.
    pub fn wait(&self, what: &str, enough: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let deliveries = eventually(format!("deliveries: {what}"), || {
            let deliveries = self.deliveries();
            if enough(&deliveries) { Ok(deliveries) } else { Err(format!("delivered: {:#?}", kinds(&deliveries))) }
        });
        for delivery in &deliveries {
            assert_eq!(delivery.forged, None, "{delivery:#?}");
        }
        deliveries
    }

    /// Waits until it was asked something so often, signed or not.
    pub fn wait_asked(&self, count: usize) -> Vec<Delivery> {
        eventually(format!("{count} questions"), || {
            let asked = self.deliveries();
            if asked.len() >= count { Ok(asked) } else { Err(format!("asked {} times", asked.len())) }
        })
    }

    /// Waits for `count` accepted deliveries of type `kind`; their bodies.
    pub fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        let accepted = |deliveries: &[Delivery]| -> Vec<Value> {
            let of_kind = deliveries.iter().filter(|delivery| delivery.kind() == kind);
            let ok = of_kind.filter(|delivery| delivery.reply.accepts());
            ok.map(|delivery| delivery.body.clone()).collect()
        };
        let all = self.wait(&format!("{count} of {kind}"), |deliveries| accepted(deliveries).len() >= count);
        accepted(&all)
    }
}

fn kinds(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| format!("{} {} -> {:?}", delivery.kind(), delivery.id(), delivery.reply)).collect()
}

/// One connection: request after request until the peer closes it.
fn serve(stream: TcpStream, keep: &Mutex<Vec<Delivery>>, script: &Mutex<Script>, any_calendar: &AtomicBool) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((target, headers, body)) = request(&mut reader) {
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let forged = verify(&headers, &body, any_calendar.load(Ordering::Relaxed)).err();
        let mut delivery =
            Delivery { at: Instant::now(), target, headers, body: json, forged, reply: Reply::Status(0) };
        let reply = (script.lock().unwrap())(&delivery);
        delivery.reply = reply.clone();
        keep.lock().unwrap().push(delivery);
        let head = match reply {
            Reply::Status(status) => format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n"),
            Reply::Redirect(to) => format!("HTTP/1.1 307 Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            Reply::Close => return,
            Reply::Late(delay) => {
                thread::sleep(delay);
                "HTTP/1.1 200 Late\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
        };
        if writer.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

/// Reads one request: its target, fields and body.
fn request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((target, headers, body))
}

/// Checks the signature as a receiver in the field would: by the Standard Webhooks library.
fn verify(headers: &[(String, String)], body: &[u8], any_calendar: bool) -> Result<(), String> {
    let mut map = ureq::http::HeaderMap::new();
    for (name, value) in headers {
        let name = ureq::http::HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        map.append(name, value.parse().map_err(|_| format!("{value:?} is not a header's value"))?);
    }
    let webhook = Webhook::new(SECRET).map_err(|error| error.to_string())?;
    if any_calendar {
        let field = |name: &str| headers.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value);
        let time = field("webhook-timestamp").parse().map_err(|_| "no webhook-timestamp".to_owned())?;
        let signed = webhook.sign(field("webhook-id"), time, body).map_err(|error| error.to_string())?;
        return if signed == field("webhook-signature") { Ok(()) } else { Err(format!("signed it is {signed}")) };
    }
    webhook.verify(body, &map).map_err(|error| error.to_string())
}
