//! What the operator sets, right and wrong.

use livetape_store::{Fault, Listing, ObjectStore as _, PartStore as _};
use livetape_store_s3::{S3Options, S3Store};

use crate::target::Target;

pub(crate) async fn the_probe_succeeds_and_leaves_nothing(target: &Target) {
    let store = target.store().await;
    store.probe().await.unwrap();
    assert_eq!(store.list("", None).await.unwrap(), Listing::default());
    assert!(store.uploads("", None).await.unwrap().uploads.is_empty());
}

pub(crate) async fn settings_that_are_wrong_are_told_from_one_another(target: &Target) {
    let (options, dialect) = (&target.options, &target.dialect);
    let wrong = |name: &str| Some(name.to_owned());
    let unused = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (change, fault, words) in [
        (
            S3Options { bucket: "no-such-bucket-here".into(), ..options.clone() },
            Fault::Configuration,
            "create the bucket",
        ),
        (S3Options { secret_access_key: wrong("wrong"), ..options.clone() }, Fault::Denied, dialect.wrong_secret),
        (S3Options { access_key_id: wrong("nobody"), ..options.clone() }, Fault::Denied, dialect.wrong_key),
        (S3Options { endpoint: Some(format!("http://{}", unused())), ..options.clone() }, Fault::Network, "probing"),
    ] {
        let store = S3Store::connect(change).await.unwrap();
        let error = store.probe().await.unwrap_err();
        assert_eq!(error.fault(), fault, "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && !text.contains(options.secret_access_key.as_deref().unwrap()), "{text}");
    }
}

pub(crate) async fn a_certificate_that_nobody_vouches_for_is_refused(target: &Target) {
    let stranger = S3Store::connect(S3Options { ca_pem: None, ..target.options.clone() }).await.unwrap();
    let error = stranger.probe().await.unwrap_err();
    assert_eq!(error.fault(), Fault::Configuration, "{error}");
    assert!(error.to_string().contains("trust its authority"), "{error}");
}
