//! Why templates, rules and tasks were not changed.

use livetape_catalog::CatalogError;
use livetape_record::TaskId;
use tokio::task::JoinError;

use crate::config::SettingProblem;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is no such template.
    #[error("there is no template '{0}'")]
    UnknownTemplate(String),
    /// There is no such rule.
    #[error("there is no rule '{0}'")]
    UnknownRule(String),
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// It is in the configuration.
    #[error("the {what} '{name}' is in the configuration, and changed there; choose another name here")]
    Configured {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Something needs it.
    #[error("the template '{name}' is needed by {by}; change that first")]
    Needed {
        /// The template.
        name: String,
        /// By what.
        by: String,
    },
    /// The task is over.
    #[error("the task {0} is over; make another")]
    Over(TaskId),
    /// There are as many as there may be.
    #[error("{0}")]
    TooMany(String),
    /// Settings are wrong.
    #[error("settings are wrong")]
    Settings(Vec<SettingProblem>),
    /// The index.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A call was stopped.
    #[error(transparent)]
    Stopped(#[from] JoinError),
}

impl PlanError {
    pub(super) fn settings(problems: Vec<(&'static str, String)>) -> Self {
        Self::Settings(problems.into_iter().map(SettingProblem::from).collect())
    }
}
