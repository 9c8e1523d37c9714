//! The endpoints events go to: those of the configuration, and those made by the API, which live in the index.
//!
//! Contract: what the index says is what is delivered to; a change is in the index before it takes effect. One
//! change at a time.

mod settings;
mod subscription;

use std::sync::Arc;

use anyhow::Context as _;
use livetape_catalog::{Applied, Catalog, CatalogError, Change, EndpointCounts};
use livetape_finalize::dialect::MediaRoots;
use livetape_finalize::{Announcer, Endpoint};
use livetape_media::WallTime;
use tokio::sync::Mutex;
use tokio::task::JoinError;

use crate::config::{Config, FallbackKind, SettingProblem, StoreKind, Webhook};
use crate::live::Live;

pub use settings::WebhookSettings;

/// Events that one request sends again at most.
const AGAIN_MAX: usize = 10_000;
/// Events that one change sends again.
const AGAIN_BATCH: usize = 500;

/// The endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    catalog: Catalog,
    announcer: Announcer,
    configured: Arc<[Webhook]>,
    maker: EndpointMaker,
    /// Held while endpoints change.
    changing: Arc<Mutex<()>>,
}

/// An endpoint, as the API shows it.
pub struct WebhookView {
    /// Its settings.
    pub webhook: Webhook,
    /// Whether it is in the configuration.
    pub configured: bool,
    /// What is owed to it.
    pub counts: Option<EndpointCounts>,
}

/// Why a change of endpoints was not made.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none of this name.
    #[error("there is no webhook '{0}'")]
    Unknown(String),
    /// It is in the configuration.
    #[error("the webhook '{0}' is in the configuration, and changed there")]
    Configured(String),
    /// It is disabled.
    #[error("the webhook '{0}' is disabled; enable it first")]
    Disabled(String),
    /// Its settings are wrong.
    #[error("the settings of the webhook are wrong")]
    Settings(Vec<SettingProblem>),
    /// No client could be made for it.
    #[error("the webhook cannot be called: {0:#}")]
    Client(anyhow::Error),
    /// The index.
    #[error(transparent)]
    Catalog(CatalogError),
    /// A call was stopped.
    #[error(transparent)]
    Stopped(#[from] JoinError),
}

impl From<CatalogError> for WebhookError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::UnknownEndpoint(name) => Self::Unknown(name),
            CatalogError::ConfiguredEndpoint(name) => Self::Configured(name),
            CatalogError::DisabledEndpoint(name) => Self::Disabled(name),
            error => Self::Catalog(error),
        }
    }
}

/// Makes endpoints of settings.
#[derive(Clone)]
pub struct EndpointMaker {
    live: Live,
    roots: MediaRoots,
}

impl EndpointMaker {
    /// For a service with these settings.
    pub fn new(config: &Config, live: Live) -> Self {
        let absolute = |path: std::path::PathBuf| {
            let path = std::path::absolute(&path).unwrap_or(path);
            path.to_string_lossy().into_owned()
        };
        let roots = MediaRoots {
            primary: (config.store.kind == StoreKind::Directory).then(|| absolute(config.store_path())),
            fallback: (config.fallback.kind == FallbackKind::Directory).then(|| absolute(config.fallback_path())),
        };
        Self { live, roots }
    }

    /// The endpoints of the configuration, and those of the index. One of the index that cannot be made is left
    /// out, and said.
    ///
    /// # Errors
    /// When the index cannot be read, or one of the configuration cannot be made.
    pub fn all(&self, configured: &[Webhook], catalog: &Catalog) -> Result<Vec<Endpoint>, anyhow::Error> {
        let mut endpoints = Vec::new();
        for webhook in configured {
            endpoints.push(self.make(webhook).with_context(|| format!("webhook '{}'", webhook.name))?);
        }
        for stored in catalog.stored_endpoints()? {
            match WebhookSettings::parse(&stored.settings)
                .and_then(|settings| settings.webhook(&stored.id, None))
                .map_err(|problems| anyhow::anyhow!("{}", SettingProblem::joined(&problems)))
                .and_then(|webhook| self.make(&webhook))
            {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => tracing::error!(webhook = stored.id, "a webhook of the index cannot be used: {error:#}"),
            }
        }
        Ok(endpoints)
    }

    fn make(&self, webhook: &Webhook) -> Result<Endpoint, anyhow::Error> {
        subscription::endpoint(webhook, &self.roots, self.live.clone())
    }
}

impl Webhooks {
    /// Those that `announcer` delivers to.
    pub fn new(catalog: Catalog, announcer: Announcer, configured: Vec<Webhook>, maker: EndpointMaker) -> Self {
        Self { catalog, announcer, configured: configured.into(), maker, changing: Arc::default() }
    }

    /// All of them, those of the configuration first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn list(&self) -> Result<Vec<WebhookView>, CatalogError> {
        let counts = self.catalog.counts()?.endpoints;
        let of = |name: &str| counts.iter().find(|counts| counts.id == name).cloned();
        let mut views: Vec<WebhookView> = self
            .configured
            .iter()
            .map(|webhook| WebhookView { webhook: webhook.clone(), configured: true, counts: of(&webhook.name) })
            .collect();
        for stored in self.catalog.stored_endpoints()? {
            let settings = WebhookSettings::parse(&stored.settings).unwrap_or_default();
            views.push(WebhookView { counts: of(&stored.id), webhook: settings.shown(&stored.id), configured: false });
        }
        Ok(views)
    }

    /// The one of this name.
    ///
    /// # Errors
    /// When there is none, or the index cannot be read.
    pub fn one(&self, name: &str) -> Result<WebhookView, WebhookError> {
        let found = self.list()?.into_iter().find(|view| view.webhook.name == name);
        found.ok_or_else(|| WebhookError::Unknown(name.to_owned()))
    }

    /// Makes the webhook `name`, or gives it other settings; secrets that are not said stay. Whether it is new.
    ///
    /// # Errors
    /// When it is in the configuration, or the settings are wrong.
    pub async fn set(&self, name: &str, settings: WebhookSettings) -> Result<bool, WebhookError> {
        let _changing = self.changing.lock().await;
        if self.configured.iter().any(|webhook| webhook.name == name) {
            return Err(WebhookError::Configured(name.to_owned()));
        }
        let catalog = self.catalog.clone();
        let stored = tokio::task::spawn_blocking(move || catalog.stored_endpoints()).await??;
        let before = stored.iter().find(|stored| stored.id == name);
        let before_settings = before.and_then(|stored| WebhookSettings::parse(&stored.settings).ok());
        let settings = settings.with_secrets_of(before_settings.as_ref());
        let webhook = settings.webhook(name, before_settings.as_ref()).map_err(WebhookError::Settings)?;
        let endpoint = self.maker.make(&webhook).map_err(WebhookError::Client)?;
        self.apply(Change::EndpointSet { endpoint: name.to_owned(), settings: settings.to_json() }).await?;
        self.announcer.set(endpoint).await;
        Ok(before.is_none())
    }

    /// Removes the webhook `name`. What is pending for it is dropped.
    ///
    /// # Errors
    /// When there is none, or it is in the configuration.
    pub async fn remove(&self, name: &str) -> Result<(), WebhookError> {
        let _changing = self.changing.lock().await;
        match self.apply(Change::EndpointRemoved { endpoint: name.to_owned() }).await? {
            Applied::Done => {}
            _ => return Err(WebhookError::Unknown(name.to_owned())),
        }
        self.announcer.remove(name).await;
        Ok(())
    }

    /// Lets a webhook that was disabled, because its receiver answered 410, get events again.
    ///
    /// # Errors
    /// When there is none.
    pub async fn enable(&self, name: &str) -> Result<(), WebhookError> {
        let _changing = self.changing.lock().await;
        let done = self.apply(Change::EndpointEnabled { endpoint: name.to_owned() }).await?;
        if done == Applied::Done {
            let (webhooks, name) = (self.clone(), name.to_owned());
            let view = tokio::task::spawn_blocking(move || webhooks.one(&name)).await??;
            let endpoint = self.maker.make(&view.webhook).map_err(WebhookError::Client)?;
            self.announcer.set(endpoint).await;
        }
        Ok(())
    }

    /// Sends these events, by sequence, to the webhook `name` again, or for the first time.
    ///
    /// # Errors
    /// When there is none, or it is disabled.
    pub async fn send_again(&self, name: &str, events: Vec<i64>, now: WallTime) -> Result<(), WebhookError> {
        self.apply(Change::DeliveriesAgain { endpoint: name.to_owned(), events, at: now }).await?;
        self.announcer.wake();
        Ok(())
    }

    /// Sends all events that happened at `since` or later and come after `after` to the webhook `name`: how many
    /// that are, and after which one to go on when there are more.
    ///
    /// # Errors
    /// When there is none, or it is disabled.
    pub async fn send_all_again(
        &self,
        name: &str,
        since: WallTime,
        after: i64,
        now: WallTime,
    ) -> Result<(usize, Option<i64>), WebhookError> {
        let (mut after, mut count) = (after, 0);
        while count < AGAIN_MAX {
            let catalog = self.catalog.clone();
            let find = move || catalog.events_since(since, after, AGAIN_BATCH);
            let events = tokio::task::spawn_blocking(find).await??;
            let (found, last) = (events.len(), events.last().copied());
            self.send_again(name, events, now).await?;
            count += found;
            after = last.unwrap_or(after);
            if found < AGAIN_BATCH {
                return Ok((count, None));
            }
        }
        Ok((count, Some(after)))
    }

    async fn apply(&self, change: Change) -> Result<Applied, WebhookError> {
        let catalog = self.catalog.clone();
        Ok(tokio::task::spawn_blocking(move || catalog.apply(change)).await??)
    }
}
