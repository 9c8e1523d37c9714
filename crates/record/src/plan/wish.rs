//! What the query of a push asks for: `record=mp4|hls&record_interval=3600`.

use std::borrow::Cow;
use std::time::Duration;

use livetape_media::Format;

/// What is asked for and may be.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// To record to these.
    pub(super) formats: Option<Vec<Format>>,
    /// To end recordings when they are so long.
    pub(super) interval: Option<Duration>,
}

impl Wish {
    /// Reads the parameters that are wishes, of which those are granted that ask for formats that are `allowed`.
    pub(super) fn read<'q>(
        query: impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)>,
        allowed: &[Format],
        problems: &mut Vec<String>,
    ) -> Self {
        let mut wish = Self::default();
        for (name, value) in query {
            match &*name {
                "record" if allowed.is_empty() => {
                    problems.push("record is not used: no rule allows this stream to ask for it".to_owned());
                }
                "record" => wish.ask(&value, allowed, problems),
                "record_interval" if allowed.is_empty() => {
                    problems.push("record_interval is not used: no rule allows this stream to ask for it".to_owned());
                }
                "record_interval" => match value.parse::<u32>() {
                    Ok(seconds) => wish.interval = Some(Duration::from_secs(seconds.into())),
                    Err(_) => problems.push("record_interval is not used: it is no number of seconds".to_owned()),
                },
                _ => {}
            }
        }
        wish
    }

    fn ask(&mut self, value: &str, allowed: &[Format], problems: &mut Vec<String>) {
        let mut formats = Vec::new();
        for word in value.split(['|', ',']).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().parse::<Format>() {
                Ok(format) if !allowed.contains(&format) => {
                    problems.push(format!("record={format} is not used: the rule does not allow it"));
                }
                Ok(format) if formats.contains(&format) => {}
                Ok(format) => formats.push(format),
                Err(_) => {
                    let word: String = word.chars().filter(|c| !c.is_control()).take(20).collect();
                    problems.push(format!("record={word:?} is not used: it is none of mp4, hls and flv"));
                }
            }
        }
        if !formats.is_empty() {
            self.formats = Some(formats);
        }
    }
}
