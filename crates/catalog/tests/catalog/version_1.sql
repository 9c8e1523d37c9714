-- Rows as the program of schema version 1 left them: one stream that is over, one that is being recorded.
INSERT INTO meta (id, node, created_ms, longest_ms) VALUES (1, '0192f0c1-0000-7000-8000-00000000000a', 1795381200000, 10000);
INSERT INTO sessions VALUES ('ses_0192f0c1000070008000000000000001', '0192f0c1-0000-7000-8000-00000000000a', 'live', 's1', 'record=mp4', '192.0.2.1:50000', 1795381200000, 1795381212000, 'unpublish', 0);
INSERT INTO recordings VALUES ('rec_0192f0c1000070008000000000000001_mp4_1', 'ses_0192f0c1000070008000000000000001', '0192f0c1-0000-7000-8000-00000000000a', 'live', 's1', 'live/s1', 'mp4', 'ready', 'live/s1/2026-11-22/s1-210000-1.mp4', 1795381201000, 1795381211000, 'publish', 'unpublish', 3000000, 10010, 'h264', 1920, 1080, 29.97002997002997, 300, 'aac', 48000, 2, 469, 0, NULL, 1795381212000, 1, 0);
INSERT INTO sessions VALUES ('ses_0192f0c1000070008000000000000002', '0192f0c1-0000-7000-8000-00000000000a', 'live', 's2', 'record=mp4', '192.0.2.1:50000', 1795381200000, NULL, NULL, 0);
INSERT INTO recordings VALUES ('rec_0192f0c1000070008000000000000002_mp4_1', 'ses_0192f0c1000070008000000000000002', '0192f0c1-0000-7000-8000-00000000000a', 'live', 's2', 'live/s2', 'mp4', 'recording', 'live/s2/2026-11-22/s2-210000-1.mp4', 1795381201000, NULL, 'publish', NULL, NULL, NULL, 'h264', 1920, 1080, 29.97002997002997, 0, 'aac', 48000, 2, 0, 0, NULL, NULL, 0, 0);
INSERT INTO endpoints (id, configured) VALUES ('hook', 1);
INSERT INTO events VALUES (1, 'evt_0192f0c1000070008000000000000001_started', 'stream.started', 'live/s1', 1795381200000, '{"id":"evt_0192f0c1000070008000000000000001_started","type":"stream.started"}');
INSERT INTO events VALUES (2, 'evt_0192f0c1000070008000000000000001_mp4_1_started', 'recording.started', 'live/s1', 1795381201000, '{"id":"evt_0192f0c1000070008000000000000001_mp4_1_started","type":"recording.started"}');
INSERT INTO events VALUES (3, 'evt_0192f0c1000070008000000000000002_started', 'stream.started', 'live/s2', 1795381200000, '{"id":"evt_0192f0c1000070008000000000000002_started","type":"stream.started"}');
INSERT INTO events VALUES (4, 'evt_0192f0c1000070008000000000000002_mp4_1_started', 'recording.started', 'live/s2', 1795381201000, '{"id":"evt_0192f0c1000070008000000000000002_mp4_1_started","type":"recording.started"}');
INSERT INTO events VALUES (5, 'evt_0192f0c1000070008000000000000001_mp4_1_ready', 'recording.ready', 'live/s1', 1795381212000, '{"id":"evt_0192f0c1000070008000000000000001_mp4_1_ready","type":"recording.ready"}');
INSERT INTO events VALUES (6, 'evt_0192f0c1000070008000000000000001_ended', 'stream.ended', 'live/s1', 1795381212000, '{"id":"evt_0192f0c1000070008000000000000001_ended","type":"stream.ended"}');
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 1, 'live/s1', 'head', 1795381200000, 0);
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 2, 'live/s1', 'waiting', 1795381201000, 0);
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 3, 'live/s2', 'head', 1795381200000, 0);
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 4, 'live/s2', 'waiting', 1795381201000, 0);
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 5, 'live/s1', 'waiting', 1795381212000, 0);
INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) VALUES ('hook', 6, 'live/s1', 'waiting', 1795381212000, 0);
