//! nginx with the RTMP module, as Debian has it (`libnginx-mod-rtmp`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use livetape_testkit::Film;

use super::program::{self, Foreign, Judge, Rest};
use super::tally::{Ending, tally};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// How its recordings are called.
const ENDINGS: &[Ending] = &[("flv", ".flv"), ("hls", ".m3u8")];

/// nginx with one worker.
pub(crate) struct Nginx;

/// What it was told to record.
struct Judged(Vec<Ending>);

impl Recorder for Nginx {
    fn name(&self) -> String {
        "nginx-rtmp".to_owned()
    }

    fn about(&self) -> String {
        let version = program::first_words(Command::new(PROGRAM).arg("-v")).unwrap_or_default();
        let version = version.trim_start_matches("nginx version: ");
        format!(
            "{version}, Debian's, with the RTMP module: one worker; HLS as MPEG-TS in segments of 6 s. Every frame is \
             compared, bit for bit; in HLS apart from delimiters and parameter sets"
        )
    }

    fn missing(&self) -> Option<String> {
        let there = Path::new(PROGRAM).exists() && Path::new(MODULE).exists();
        (!there).then(|| "install what Debian calls nginx-light and libnginx-mod-rtmp".to_owned())
    }

    fn records(&self, formats: &[&str]) -> bool {
        formats.iter().all(|format| ENDINGS.iter().any(|(known, _)| known == format))
    }

    fn start(&self, directory: &Path, formats: &[&str], streams: u32) -> anyhow::Result<Box<dyn Running>> {
        let rtmp = program::free_address()?;
        let place = directory.display();
        std::fs::create_dir(directory.join("hls"))?;
        let flv = if formats.contains(&"flv") { format!("record all; record_path {place};") } else { String::new() };
        let hls = if formats.contains(&"hls") {
            format!("hls on; hls_path {place}/hls; hls_fragment 6s; hls_playlist_length 1h; hls_cleanup off;")
        } else {
            String::new()
        };
        let configuration = directory.join("nginx.conf");
        std::fs::write(
            &configuration,
            format!(
                "\
load_module {MODULE};
daemon off;
master_process off;
pid {place}/pid;
error_log {place}/error.log warn;
worker_rlimit_nofile 65536;
events {{ worker_connections {}; }}
rtmp {{
    access_log off;
    server {{
        listen {rtmp};
        chunk_size 4096;
        application live {{ live on; {flv} {hls} }}
    }}
}}
",
                streams * 4 + 64,
            ),
        )?;
        let mut command = Command::new(PROGRAM);
        command.arg("-p").arg(directory).arg("-c").arg(&configuration);
        let judged = Judged(ENDINGS.iter().copied().filter(|(format, _)| formats.contains(format)).collect());
        let rest = Rest::Quiet(Duration::from_millis(500));
        Ok(Box::new(Foreign::start(vec![command], vec![rtmp], directory, rest, judged)?))
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict {
        tally(directory, &self.0, film, sent)
    }
}
