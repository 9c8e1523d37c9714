//! Which streams are recorded, and how: templates and rules, and tasks.
//!
//! Contract: those of the configuration come first and are not changed here; the others live in the index, and what
//! is in the index is what is in force. A change is in the index before it takes effect. A stream that runs goes on as
//! it was planned; the next push of it is planned anew. Tasks begin and end at once.

mod error;
mod settings;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use livetape_catalog::{Applied, Catalog, CatalogError, Change, PlanKind};
use livetape_record::StreamPath;
use livetape_record::plan::{DEFAULT, Plan, Rule, Template, check_name, plan};
use livetape_rtmp::Query;
use tokio::sync::Mutex as AsyncMutex;

use crate::config::{Config, SettingProblem, TemplateSettings};
use crate::live::Live;

pub use error::PlanError;
pub use settings::{RuleRequest, TaskRequest, TaskSettings, parse};
pub use tasks::{TaskView, Tasks, Wanted};

/// The most templates and the most rules that the API makes.
const MOST: usize = 1_000;

/// The templates and rules in force, and the tasks. Cheap to clone.
#[derive(Clone)]
pub struct Plans {
    inner: Arc<Inner>,
    /// What is recorded on demand.
    pub tasks: Tasks,
}

struct Inner {
    config: Config,
    catalog: Catalog,
    book: Mutex<Arc<Book>>,
    /// Held while templates and rules change.
    changing: AsyncMutex<()>,
}

/// What is in force at one moment.
#[derive(Default)]
struct Book {
    templates: BTreeMap<String, TemplateView>,
    /// In the order in which they are asked.
    rules: Vec<RuleView>,
    made: BTreeMap<String, Template>,
    asked: Vec<Rule>,
}

/// A template, as the API shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateView {
    /// What it says.
    pub settings: TemplateSettings,
    /// Whether it is in the configuration.
    pub configured: bool,
}

/// A rule, as the API shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub settings: RuleRequest,
    /// Whether it is in the configuration.
    pub configured: bool,
}

impl Plans {
    /// Those of the configuration and those of the index; tasks that were due to end while nothing ran have. Blocks.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn open(config: &Config, catalog: &Catalog, live: &Live) -> Result<Self, CatalogError> {
        let inner = Arc::new(Inner {
            config: config.clone(),
            catalog: catalog.clone(),
            book: Mutex::default(),
            changing: AsyncMutex::default(),
        });
        inner.reload()?;
        let tasks = Tasks::open(catalog, live)?;
        Ok(Self { inner, tasks })
    }

    /// How a push of `stream` with this query is recorded.
    pub fn of(&self, stream: &StreamPath, query: &Query) -> Plan {
        let book = self.inner.book();
        plan(stream, query.parameters(), &book.asked, &book.made)
    }

    /// What tasks want of a stream, at this moment.
    pub fn wanted(&self, stream: &StreamPath) -> Vec<Wanted> {
        let book = self.inner.book();
        self.tasks.wanted(stream, |settings| settings.template(&self.inner.config, &book.made))
    }

    /// All templates, those of the configuration first.
    pub fn templates(&self) -> Vec<TemplateView> {
        let (configured, made): (Vec<_>, Vec<_>) =
            self.inner.book().templates.values().cloned().partition(|view| view.configured);
        configured.into_iter().chain(made).collect()
    }

    /// The template of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn template(&self, name: &str) -> Result<TemplateView, PlanError> {
        let found = self.inner.book().templates.get(name).cloned();
        found.ok_or_else(|| PlanError::UnknownTemplate(name.to_owned()))
    }

    /// All rules, in the order in which they are asked.
    pub fn rules(&self) -> Vec<RuleView> {
        self.inner.book().rules.clone()
    }

    /// The rule of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn rule(&self, name: &str) -> Result<RuleView, PlanError> {
        let found = self.rules().into_iter().find(|rule| rule.name == name);
        found.ok_or_else(|| PlanError::UnknownRule(name.to_owned()))
    }

    /// Makes a template, or gives it other settings. Whether it is new.
    ///
    /// # Errors
    /// When it is in the configuration, or the settings are wrong.
    pub async fn set_template(&self, name: &str, settings: TemplateSettings) -> Result<bool, PlanError> {
        let _changing = self.inner.changing.lock().await;
        let settings = TemplateSettings { name: name.to_owned(), ..settings };
        let problems = settings.problems(&self.inner.config.record);
        if !problems.is_empty() {
            return Err(PlanError::settings(problems));
        }
        let before = self.template(name).ok();
        if before.as_ref().is_some_and(|view| view.configured) {
            return Err(PlanError::Configured { what: "template", name: name.to_owned() });
        }
        self.set(PlanKind::Template, name, serde_json::to_string(&settings), before.is_none()).await
    }

    /// Makes a rule, or gives it other settings. Whether it is new.
    ///
    /// # Errors
    /// When it is in the configuration, or the settings are wrong.
    pub async fn set_rule(&self, name: &str, settings: RuleRequest) -> Result<bool, PlanError> {
        let _changing = self.inner.changing.lock().await;
        let mut problems = Vec::new();
        problems.extend(check_name(name).err().map(|error| ("name", error.to_string())));
        problems.extend(settings.rule(name).err().map(|error| ("streams", error.to_string())));
        if self.template(&settings.template).is_err() {
            problems.push(("template", format!("there is no template '{}'", settings.template)));
        }
        if !problems.is_empty() {
            return Err(PlanError::settings(problems));
        }
        let before = self.rule(name).ok();
        if before.as_ref().is_some_and(|view| view.configured) {
            return Err(PlanError::Configured { what: "rule", name: name.to_owned() });
        }
        self.set(PlanKind::Rule, name, serde_json::to_string(&settings), before.is_none()).await
    }

    /// Removes a template that no rule and no task needs.
    ///
    /// # Errors
    /// When there is none, it is in the configuration, or it is needed.
    pub async fn remove_template(&self, name: &str) -> Result<(), PlanError> {
        let _changing = self.inner.changing.lock().await;
        if self.template(name)?.configured {
            return Err(PlanError::Configured { what: "template", name: name.to_owned() });
        }
        let rule = self.rules().into_iter().find(|rule| rule.settings.template == name);
        let by = rule.map(|rule| format!("the rule '{}'", rule.name));
        if let Some(by) = by.or_else(|| self.tasks.needs(name).map(|task| format!("the task {task}"))) {
            return Err(PlanError::Needed { name: name.to_owned(), by });
        }
        self.remove(PlanKind::Template, name).await
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// When there is none, or it is in the configuration.
    pub async fn remove_rule(&self, name: &str) -> Result<(), PlanError> {
        let _changing = self.inner.changing.lock().await;
        if self.rule(name)?.configured {
            return Err(PlanError::Configured { what: "rule", name: name.to_owned() });
        }
        self.remove(PlanKind::Rule, name).await
    }

    /// Makes a task.
    ///
    /// # Errors
    /// When something about it is wrong, or there are too many.
    pub async fn create_task(
        &self,
        request: TaskRequest,
        now: livetape_media::WallTime,
    ) -> Result<livetape_record::TaskId, PlanError> {
        // No template may go in the meantime.
        let _changing = self.inner.changing.lock().await;
        let mut problems = request.settings.problems(&self.inner.config.record);
        let template = &request.settings.template;
        if !template.is_empty() && self.template(template).is_err() {
            problems.push(("template", format!("there is no template '{template}'")));
        }
        self.tasks.create(request, problems, now).await
    }

    async fn set(
        &self,
        kind: PlanKind,
        name: &str,
        settings: Result<String, serde_json::Error>,
        new: bool,
    ) -> Result<bool, PlanError> {
        let made = {
            let book = self.inner.book();
            if kind == PlanKind::Template { book.templates.len() } else { book.rules.len() }
        };
        if new && made >= MOST {
            return Err(PlanError::TooMany(format!("there are {MOST} already; remove some")));
        }
        let settings = settings.map_err(|error| PlanError::Settings(vec![SettingProblem::body(error.to_string())]))?;
        self.apply(Change::PlanSet { kind, name: name.to_owned(), settings }).await?;
        Ok(new)
    }

    async fn remove(&self, kind: PlanKind, name: &str) -> Result<(), PlanError> {
        self.apply(Change::PlanRemoved { kind, name: name.to_owned() }).await.map(drop)
    }

    async fn apply(&self, change: Change) -> Result<Applied, PlanError> {
        let inner = self.inner.clone();
        let apply = move || {
            let applied = inner.catalog.apply(change)?;
            inner.reload()?;
            Ok::<_, CatalogError>(applied)
        };
        Ok(tokio::task::spawn_blocking(apply).await??)
    }
}

impl Inner {
    fn book(&self) -> Arc<Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts in force what the configuration and the index say. What in the index cannot be used is left out, and said.
    fn reload(&self) -> Result<(), CatalogError> {
        let mut book = Book::default();
        let default = TemplateSettings::of(DEFAULT, &self.config.record);
        for settings in self.config.templates.iter().chain([&default]) {
            book.add_template(&self.config, settings.clone(), true);
        }
        for stored in self.catalog.stored_plan(PlanKind::Template)? {
            match serde_json::from_str::<TemplateSettings>(&stored.settings) {
                _ if book.templates.contains_key(&stored.name) => {
                    tracing::warn!(template = stored.name, "the template of the configuration hides one of the index");
                }
                Ok(settings) => {
                    book.add_template(&self.config, TemplateSettings { name: stored.name, ..settings }, false);
                }
                Err(error) => tracing::error!(template = stored.name, %error, "a template of the index cannot be used"),
            }
        }
        for (order, settings) in self.config.rules.iter().enumerate() {
            book.add_rule(&settings.name, RuleRequest::of(settings, order), true);
        }
        let mut stored = Vec::new();
        for rule in self.catalog.stored_plan(PlanKind::Rule)? {
            match serde_json::from_str::<RuleRequest>(&rule.settings) {
                Ok(settings) => stored.push((settings.order, rule.name, settings)),
                Err(error) => tracing::error!(rule = rule.name, %error, "a rule of the index cannot be used"),
            }
        }
        stored.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        for (_, name, settings) in stored {
            if book.rules.iter().any(|rule| rule.name == name) {
                tracing::warn!(rule = name, "the rule of the configuration hides one of the index");
            } else {
                book.add_rule(&name, settings, false);
            }
        }
        *self.book.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        Ok(())
    }
}

impl Book {
    fn add_template(&mut self, config: &Config, settings: TemplateSettings, configured: bool) {
        let name = settings.name.clone();
        self.made.insert(name.clone(), config.template(&settings));
        self.templates.insert(name, TemplateView { settings, configured });
    }

    fn add_rule(&mut self, name: &str, settings: RuleRequest, configured: bool) {
        match settings.rule(name) {
            Ok(rule) => {
                self.asked.push(rule);
                self.rules.push(RuleView { name: name.to_owned(), settings, configured });
            }
            Err(error) => tracing::error!(rule = name, %error, "a rule cannot be used"),
        }
    }
}
