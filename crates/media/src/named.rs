//! Types that are a few names.

/// `Display` and `FromStr` of a type by its `ALL` and its `name`. `what` is its name in an error, with its article, as
/// in "a format"; `plural` is that of several.
#[macro_export]
macro_rules! named {
    ($type:ty, $what:literal, $plural:literal) => {
        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::core::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.into_iter().find(|one| one.name() == text);
                found.ok_or_else(|| $crate::unnamed(text, $what, $plural, &Self::ALL.map(Self::name)))
            }
        }
    };
}

/// Says that `text` is none of `names`. Of `text` no more than its beginning is shown.
pub fn unnamed(text: &str, what: &str, plural: &str, names: &[&str]) -> String {
    let shown: String = text.chars().take(40).collect();
    let listed = match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    format!("'{shown}' is not {what}; {plural} are {listed}")
}

#[cfg(test)]
mod tests {
    use crate::Format;

    #[test]
    fn names_are_read_back_and_others_are_answered_with_all_there_are() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let long = "x".repeat(1_000);
        let error = long.parse::<Format>().unwrap_err();
        assert_eq!(error, format!("'{}' is not a format; the formats are mp4, hls and flv", "x".repeat(40)));
    }
}
