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
    let (element, address) = match sink {
        Sink::Rtmp2 => ("rtmp2sink", format!("location={url}")),
        Sink::Librtmp => ("rtmpsink", format!("location={url} live=1")),
    };
    let mut command = Command::new("gst-launch-1.0");
    command.args(["--quiet", "filesrc"]).arg(format!("location={}", file.display()));
    command.args("! flvdemux name=d d.video ! queue ! h264parse ! m.video".split(' '));
    command.args("d.audio ! queue ! aacparse ! m.audio flvmux name=m streamable=true ! tee name=t".split(' '));
    command.args("t. ! queue max-size-bytes=0 max-size-time=0 !".split(' ')).args([element, "sync=false", &address]);
    command.args("t. ! queue max-size-bytes=0 max-size-time=0 ! filesink".split(' '));
    command.arg(format!("location={}", pushed.display()));
    Running::start(&mut command).succeed(Duration::from_secs(60));
}
