//! A runtime on a thread of its own, with one listening address: what servers of blocking tests run on.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Stops when dropped, connections and all.
pub(crate) struct Host {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// An address on this machine that nobody else is given, whether something listens there or not.
pub(crate) struct Place {
    address: SocketAddr,
    /// Bound and never listening.
    _holder: TcpSocket,
}

impl Host {
    /// Runs what `serve` makes until the host is dropped. The listener is at the place already.
    pub(crate) fn start<F>(name: &str, serve: impl FnOnce(Place, TcpListener) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()>,
    {
        let (stop, mut stopped) = watch::channel(false);
        let (tell, told) = mpsc::sync_channel(1);
        let body = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let place = Place::take();
                let listener = place.listen();
                tell.send(place.address).unwrap();
                tokio::select! {
                    () = serve(place, listener) => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
        let address = told.recv().expect("the server's thread ended before it listened");
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; a test that depends on it fails by itself.
            let _ = thread.join();
        }
    }
}

impl Place {
    fn take() -> Self {
        let holder = TcpSocket::new_v4().unwrap();
        holder.set_reuseaddr(true).unwrap();
        holder.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: holder.local_addr().unwrap(), _holder: holder }
    }

    /// Listens there; connections are refused when what is returned is dropped.
    pub(crate) fn listen(&self) -> TcpListener {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap_or_else(|error| panic!("{} again: {error}", self.address));
        socket.listen(1024).unwrap()
    }
}
