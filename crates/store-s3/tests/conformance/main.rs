//! The store against the services there are: one suite of sentences, each a test for each of them.
//!
//! ```text
//! aws r2 ceph garage swift              the fake server, as it takes after each
//! kms_of_the_bucket, kms_by_request     the fake server with ETags that look like sums and are none
//! real                                  the server at LIVETAPE_TEST_S3
//! real_over_tls                         the same one at LIVETAPE_TEST_S3_TLS
//! ```
//!
//! `real` is `http://HOST:PORT`, with the access key in `LIVETAPE_TEST_S3_KEY` and `LIVETAPE_TEST_S3_SECRET` (`test` and
//! `testtest12` without them), the bucket, which is created where that is allowed, in `LIVETAPE_TEST_S3_BUCKET`
//! (`livetape-test`), the region in `LIVETAPE_TEST_S3_REGION` and what it is, `ceph` or `garage`, in
//! `LIVETAPE_TEST_S3_DIALECT`. `real_over_tls` is `https://HOST:PORT`, with the certificate of its authority in the file
//! `LIVETAPE_TEST_S3_CA`. `cargo xtask test` starts a Ceph and sets them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod faults;
mod objects;
mod settings;
mod target;
mod uploads;

use target::Target;

/// Makes a test of each sentence for one target.
macro_rules! test_on {
    ($target:ident: $($suite:ident::$sentence:ident)*) => {
        mod $target {
            $(
                #[tokio::test]
                async fn $sentence() {
                    if let Some(target) = crate::Target::$target() {
                        crate::$suite::$sentence(&target).await;
                    }
                }
            )*
        }
    };
}

/// The suite, for the target named.
macro_rules! conforms {
    ($($target:ident)*) => { $(
        test_on! { $target:
            objects::an_object_is_put_once_looked_at_fetched_and_deleted
            objects::a_playlist_is_replaced
            objects::files_are_put_at_once_or_in_parts_and_only_once
            objects::listing_goes_page_by_page_through_keys_of_every_character
            objects::uploads_share_the_limit
            uploads::three_parts_become_one_object_and_completing_twice_succeeds
            uploads::the_first_part_is_put_again_at_the_end_and_the_old_one_is_refused
            uploads::parts_with_holes_between_their_numbers_are_joined_in_order
            uploads::an_aborted_upload_is_gone_for_every_call
            uploads::uploads_are_found_by_the_beginning_of_their_keys
            uploads::parts_out_of_order_and_no_parts_are_refused
            uploads::small_parts_before_the_last_are_refused_where_the_service_does
            uploads::a_part_beyond_the_last_number_is_refused_where_the_service_does
            settings::the_probe_succeeds_and_leaves_nothing
            settings::settings_that_are_wrong_are_told_from_one_another
        }
    )* };
}

conforms! { aws r2 ceph garage swift kms_of_the_bucket kms_by_request real real_over_tls }

mod certificates {
    test_on! { real_over_tls: settings::a_certificate_that_nobody_vouches_for_is_refused }
}

/// The sentences about a bad network, for the target named.
macro_rules! survives {
    ($($module:ident: $target:ident)*) => { $(
        mod $module {
            test_on! { $target:
                faults::connections_that_are_refused
                faults::connections_that_hang
                faults::requests_that_are_swallowed
                faults::connections_that_are_reset_in_the_middle
                faults::answers_that_are_lost
                faults::answers_that_come_too_late
                faults::a_service_that_fails
                faults::a_service_that_asks_to_slow_down
                faults::a_service_that_does_not_allow_it
                faults::a_completion_that_fails_behind_200
                faults::calls_without_a_body_that_are_throttled_by_the_service
                faults::an_upload_below_the_lowest_rate_is_given_up_in_time
                faults::an_upload_above_the_lowest_rate_is_left_alone
                faults::a_download_below_the_lowest_rate_is_given_up_in_time
                faults::an_answer_that_begins_late_is_waited_for
                faults::a_file_whose_part_fails_leaves_no_upload
            }
        }
    )* };
}

survives! {
    faults_on_aws: aws
    faults_on_ceph: ceph
    faults_on_kms: kms_of_the_bucket
    faults_on_real: real
}
