//! The catalog, on real files.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod by_filter;
mod changes;
mod commits;
mod crash;
mod deletion;
mod deliveries;
mod endpoints;
mod fixture;
mod full_disk;
mod holding;
mod inspection;
mod migration;
mod opening;
mod paging;
mod plan;
mod playlists;
mod pruning;
mod quality;
mod rebuilding;
mod resending;
mod schemas;
mod shapes;
mod stream_numbers;
mod tokens;
mod waiting;
