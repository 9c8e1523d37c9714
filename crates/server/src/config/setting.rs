//! Settings that are sent to the API: what is wrong with them.

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// Which.
    pub setting: &'static str,
    /// What.
    pub message: String,
}

impl SettingProblem {
    /// Of JSON that is none, or not of the right shape.
    pub(crate) fn body(message: impl AsRef<str>) -> Self {
        Self { setting: "body", message: message.as_ref().chars().take(300).collect() }
    }

    /// As one line.
    pub(crate) fn joined(problems: &[Self]) -> String {
        let each: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.setting, problem.message)).collect();
        each.join("; ")
    }
}

impl From<(&'static str, String)> for SettingProblem {
    fn from((setting, message): (&'static str, String)) -> Self {
        Self { setting, message }
    }
}
