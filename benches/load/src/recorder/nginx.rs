//! nginx with the RTMP module, as Debian has it (`libnginx-mod-rtmp`).

use std::path::Path;
use std::process::Command;

use livetape_testkit::Film;

use super::program::{self, Foreign, Judge, Program};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// nginx with one worker.
pub(crate) struct Nginx;

struct Judged {
    formats: Vec<String>,
}

impl Recorder for Nginx {
    fn name(&self) -> String {
        "nginx-rtmp".to_owned()
    }

    fn records(&self, formats: &[&str]) -> bool {
        formats.iter().all(|format| ["flv", "hls"].contains(format))
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
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
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
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(directory).arg("-c").arg(&configuration);
        let program = Program::start(command, directory, rtmp)?;
        let formats = formats.iter().map(|format| (*format).to_owned()).collect();
        Ok(Box::new(Foreign::new(program, directory, Judged { formats })))
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict {
        // Its segments repeat codec configurations and have no marks where we look for them: only FLV is counted.
        let extensions: &[&str] = if self.formats.iter().any(|format| format == "flv") { &["flv"] } else { &[] };
        program::judge(directory, extensions, film, sent)
    }
}
