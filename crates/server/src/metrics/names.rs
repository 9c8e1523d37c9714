//! The names of all metrics.

/// Counters and their help texts.
pub(super) const COUNTERS: &[(&str, &str)] = &[
    ("livetape_rtmp_connections_total", "RTMP connections, by what became of them"),
    ("livetape_rtmp_overloaded_total", "RTMP connections closed because they held too much memory"),
    ("livetape_accept_failures_total", "Connections that could not be accepted"),
    ("livetape_rtmp_publishes_total", "Publish requests, by the answer"),
    ("livetape_pushes_denied_total", "Pushes that were not allowed, by the reason"),
    ("livetape_sessions_ended_total", "Sessions that ended, by the reason"),
    ("livetape_received_bytes_total", "Bytes of media received"),
    ("livetape_received_milliseconds_total", "Milliseconds of media received"),
    ("livetape_received_frames_total", "Frames received, by kind"),
    ("livetape_written_bytes_total", "Bytes of recordings written to the disk, by format"),
    ("livetape_written_milliseconds_total", "Milliseconds of recordings written to the disk, by format"),
    ("livetape_stored_bytes_total", "Bytes of recordings that became whole in the store, by format"),
    ("livetape_stored_milliseconds_total", "Milliseconds of recordings that became whole in the store, by format"),
    ("livetape_announced_bytes_total", "Bytes of recordings whose event a webhook took, by webhook"),
    ("livetape_announced_milliseconds_total", "Milliseconds of recordings whose event a webhook took, by webhook"),
    ("livetape_deliveries_total", "Attempts to deliver an event, by webhook and result"),
    ("livetape_dropped_frames_total", "Frames that were received and are in no recording, by the reason"),
    ("livetape_repaired_frames_total", "Frames whose times were moved, by what was wrong"),
    ("livetape_warnings_total", "Warnings raised, by kind"),
    ("livetape_recordings_opened_total", "Recordings begun, by format and reason"),
    ("livetape_recordings_finished_total", "Recordings finished on the disk, by format and reason"),
    ("livetape_recordings_ready_total", "Recordings whole in the store and announced, by format"),
    ("livetape_recordings_discarded_total", "Recordings discarded, by format"),
    ("livetape_recordings_failed_total", "Recordings that could not be completed, by format"),
    ("livetape_recordings_refused_total", "Recordings not begun, by the reason"),
    ("livetape_recordings_recovered_total", "Recordings completed after a crash, by format"),
    ("livetape_deleted_total", "Recordings deleted from the store, by the reason"),
    ("livetape_deleted_bytes_total", "Bytes of recordings deleted from the store, by the reason"),
    ("livetape_upload_retries_total", "Attempts to put a recording into the store that had to be repeated, by trouble"),
    ("livetape_mp4_index_at_end_total", "MP4 recordings whose index did not fit at the head"),
    ("livetape_http_requests_total", "HTTP requests answered, by route, method and class of status"),
    ("livetape_http_denied_total", "HTTP requests that were not allowed, by the reason"),
    ("livetape_http_refused_connections_total", "HTTP connections closed at once because there were too many"),
    ("livetape_task_panics_total", "Tasks that ended by a fault of the program, by task"),
];

/// Gauges and their help texts.
pub(super) const GAUGES: &[(&str, &str)] = &[
    ("livetape_build_info", "1, labelled with the version"),
    ("livetape_rtmp_connections", "RTMP connections open"),
    ("livetape_sessions", "Streams live"),
    ("livetape_draining", "1 while stopping"),
    ("livetape_recordings", "Recordings in the index, by state"),
    ("livetape_store_bytes", "Bytes of the ready recordings that are not being deleted"),
    ("livetape_store_held_bytes", "Those of them that somebody holds"),
    ("livetape_store_limit_bytes", "What store.max_size allows of recordings that nobody holds; 0: no bound"),
    ("livetape_events_pending", "Events not yet delivered, by webhook"),
    ("livetape_events_oldest_seconds", "Age of the oldest event not yet delivered, by webhook"),
    ("livetape_webhook_disabled", "1 when a webhook asked for no more events, by webhook"),
    ("livetape_oldest_not_ready_seconds", "Age of the oldest finished recording that is not yet whole in the store"),
    ("livetape_oldest_unsynced_seconds", "Age of the oldest media that a power cut would cost"),
    (
        "livetape_oldest_unstored_seconds",
        "Age of the oldest media that is not yet in the store: of open recordings since they began, of finished ones since they ended",
    ),
    ("livetape_unstored_bytes", "Bytes of finished recordings that are not yet whole in the store"),
    ("livetape_uploads", "Parts and objects on their way into a store that takes parts"),
    ("livetape_recordings_stalled", "Recordings of which nothing reaches the disk although media comes"),
    ("livetape_recordings_suspended", "Recordings that drop media until the disk has caught up"),
    ("livetape_streams_waiting", "Streams whose publisher is gone, and whose recordings wait for it"),
    ("livetape_streams_silent", "Streams whose publisher is connected and sends no media"),
    ("livetape_held_bytes", "Bytes held for recordings: waiting for the disk, and assembling messages and fragments"),
    ("livetape_disk_free_bytes", "Space free for recordings on the data directory's disk"),
    (
        "livetape_spool_lasts_seconds",
        "How long the data directory's disk lasts at the rate at which recordings grow, should nothing be taken from it",
    ),
    ("livetape_disk_total_bytes", "Size of the data directory's disk"),
    ("livetape_http_connections", "HTTP connections open"),
];

/// Histograms, their help texts, and the upper bounds of their buckets in seconds.
pub(super) const HISTOGRAMS: &[(&str, &str, &[f64])] = &[
    (
        "livetape_fragment_write_seconds",
        "Time to write one batch of a recording's operations",
        &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
    ),
    (
        "livetape_finish_seconds",
        "Time from a recording's end to its being whole in the store and announced",
        &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0],
    ),
    (
        "livetape_http_request_seconds",
        "Time to answer an HTTP request, up to the first byte of the answer",
        &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
    ),
];
