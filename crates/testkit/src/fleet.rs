//! Many publishers at once for little: each sends an endless marked film as it plays, all from one
//! thread, and comes back whenever it loses its server.
//!
//! Every frame is logged with the place of its last byte on the wire, so that at the moment a server
//! dies it is known to the byte, and so to the frame, what of each stream had reached it.

mod camera;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;

pub use camera::{Camera, SessionLog, hurry, rush};

use crate::deadline::within;
use crate::film::Film;
use crate::livetape::Livetape;
use crate::machine;

/// How often each camera is looked after: a quarter of a frame.
const ROUND: Duration = Duration::from_millis(10);

/// The publishers.
pub struct Fleet {
    crew: Arc<Mutex<Crew>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works on.
pub struct Crew {
    /// Where they push to.
    pub server: SocketAddr,
    /// One for each stream.
    pub cameras: Vec<Camera>,
    /// Sessions that are over.
    pub ended: Vec<SessionLog>,
    /// How many times the server was killed.
    pub kills: u32,
    /// The most a frame was late, since this was last set to zero.
    pub latest: Duration,
    ended_for_good: bool,
}

impl Fleet {
    /// Begins to publish `streams` streams, `live/cam0000` and so on.
    pub fn start(server: SocketAddr, film: &Film, streams: u32) -> Self {
        let film = Arc::new(film.clone());
        let cameras = (0..streams).map(|stream| Camera::new(stream, film.clone())).collect();
        let crew = Crew { server, cameras, ended: Vec::new(), kills: 0, latest: Duration::ZERO, ended_for_good: false };
        let crew = Arc::new(Mutex::new(crew));
        let shared = crew.clone();
        let thread = thread::spawn(move || {
            loop {
                let mut crew = shared.lock().unwrap();
                if crew.ended_for_good {
                    return;
                }
                crew.round();
                drop(crew);
                thread::sleep(ROUND);
            }
        });
        Self { crew, thread: Some(thread) }
    }

    /// The publishers, standing still for as long as this is held.
    pub fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap()
    }

    /// Kills the server as a crash does, and notes what had reached it.
    ///
    /// It is stopped first (`SIGSTOP`) so that what it had read can be looked up: what was handed to
    /// the kernel, less what the kernel says still waits to be read. What happens next is `SIGKILL`.
    pub fn kill(&self, livetape: &mut Livetape) {
        let mut crew = self.crew();
        livetape.signal(Signal::STOP);
        machine::wait_stopped(livetape.pid());
        let unread = machine::unread(crew.server);
        crew.kills += 1;
        let kills = crew.kills;
        for camera in &mut crew.cameras {
            camera.server_died(&unread, kills);
        }
        livetape.kill();
    }

    /// Waits until every stream has a session that has sent so much media.
    pub fn wait_all_live(&self, media: Duration) {
        within(Duration::from_secs(60), format!("every stream has sent {media:?}"), || {
            let crew = self.crew();
            let sent: Vec<Duration> = crew.cameras.iter().map(Camera::sent).collect();
            if sent.iter().all(|sent| *sent >= media) { Ok(()) } else { Err(format!("{sent:?}")) }
        });
    }

    /// Every publisher says goodbye; what each session sent.
    pub fn finish(mut self) -> Vec<SessionLog> {
        let mut crew = self.crew.lock().unwrap();
        crew.ended_for_good = true;
        drop(crew);
        self.thread.take().unwrap().join().unwrap();
        let mut crew = self.crew.lock().unwrap();
        let Crew { cameras, ended, .. } = &mut *crew;
        for camera in cameras {
            ended.extend(camera.finish());
        }
        std::mem::take(ended)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let (Some(thread), Ok(mut crew)) = (self.thread.take(), self.crew.lock()) {
            crew.ended_for_good = true;
            drop(crew);
            // It has panicked when this fails, and has said so.
            let _ = thread.join();
        }
    }
}

impl Crew {
    fn round(&mut self) {
        let now = Instant::now();
        let Self { server, cameras, ended, latest, .. } = self;
        for camera in cameras {
            let (over, late) = camera.step(*server, now);
            ended.extend(over);
            *latest = (*latest).max(late);
        }
    }
}
