//! GStreamer: pushing a file with its own RTMP client (`rtmp2sink`) or with librtmp (`rtmpsink`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::program::Running;

/// Which element speaks RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// GStreamer's own.
    Rtmp2,
    /// librtmp.
    Librtmp,
}

/// Pushes the H.264 and AAC of the FLV file `file` to `url`; what was pushed is kept in `pushed`,
/// since GStreamer's muxer decides it.
pub fn push_all(sink: Sink, file: &Path, url: &str, pushed: &Path) {
    let sink = match sink {
        Sink::Rtmp2 => format!("rtmp2sink sync=false location={url}"),
        Sink::Librtmp => format!("rtmpsink sync=false location=\"{url} live=1\""),
    };
    let pipeline = format!(
        "filesrc location={} ! flvdemux name=d \
         d.video ! queue ! h264parse ! m.video \
         d.audio ! queue ! aacparse ! m.audio \
         flvmux name=m streamable=true ! tee name=t \
         t. ! queue max-size-bytes=0 max-size-time=0 ! {sink} \
         t. ! queue max-size-bytes=0 max-size-time=0 ! filesink location={}",
        file.display(),
        pushed.display(),
    );
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec gst-launch-1.0 --quiet {}", quoted(&pipeline)));
    Running::start(&mut command).succeed(Duration::from_secs(60));
}

/// The shell must leave `!` and the quotes to gst-launch, which reads its arguments joined.
fn quoted(pipeline: &str) -> String {
    format!("'{}'", pipeline.replace('\'', "'\\''"))
}
