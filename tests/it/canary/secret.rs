//! A text that must not get around, the forms in which it could, and the search for all of them at once. Pure.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::sinks::Sink;

/// What was planted, and where it is to be found: exactly there.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    /// The place where it was planted; names the secret in a failure.
    pub(super) place: String,
    pub(super) text: String,
    /// Sinks that must show it, in whatever form. No other may.
    pub(super) found_in: Vec<Sink>,
}

impl Secret {
    /// To be found nowhere.
    pub(super) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into(), found_in: Vec::new() }
    }

    /// To be found here and nowhere else.
    pub(super) fn shown(self, found_in: &[Sink]) -> Self {
        Self { found_in: found_in.to_vec(), ..self }
    }
}

/// A text of 32 lower-case letters and digits that belongs to `place` alone, and is the same in each run.
pub(super) fn unique(place: &str) -> String {
    let digest = Sha256::digest(place);
    format!("canary{}", &hex(&digest)[..26])
}

/// Half of it, 16 characters: as many as the bytes of a trace id.
pub(super) fn unique_half(place: &str) -> String {
    unique(place)[..16].to_owned()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a form is compared by first.
const HEAD: usize = 8;

/// All forms of all secrets, ready to be looked for in one pass over a text.
pub(super) struct Finder {
    /// By their first bytes.
    forms: HashMap<[u8; HEAD], Vec<Form>>,
}

struct Form {
    /// Position of the secret.
    secret: usize,
    name: &'static str,
    bytes: Vec<u8>,
}

impl Finder {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut forms: HashMap<_, Vec<Form>> = HashMap::new();
        for (secret, text) in secrets.iter().map(|secret| &secret.text).enumerate() {
            for (name, form) in forms_of(text) {
                let bytes = form.into_bytes();
                let head = bytes.first_chunk().unwrap_or_else(|| panic!("too short to be looked for: {text}"));
                forms.entry(*head).or_default().push(Form { secret, name, bytes });
            }
        }
        Self { forms }
    }

    /// Which secrets, by their position, are in `text`, and in which form.
    pub(super) fn find(&self, text: &[u8]) -> BTreeSet<(usize, &'static str)> {
        let at = |start: usize| -> Option<&Vec<Form>> { self.forms.get(text[start..].first_chunk::<HEAD>()?) };
        let here =
            |start: usize| at(start).into_iter().flatten().filter(move |form| text[start..].starts_with(&form.bytes));
        (0..text.len()).flat_map(here).map(|form| (form.secret, form.name)).collect()
    }
}

/// What encoders make of `text`. Of the text itself each end is enough: what is cut off leaks all the same.
fn forms_of(text: &str) -> Vec<(&'static str, String)> {
    let bytes = text.as_bytes();
    let each = |format: &dyn Fn(u8) -> String, between: &str| {
        bytes.iter().map(|byte| format(*byte)).collect::<Vec<_>>().join(between)
    };
    let end = 16.min(text.len());
    let mut forms = vec![
        ("its beginning", text[..end].to_owned()),
        ("its end", text[text.len() - end..].to_owned()),
        ("hex", hex(bytes)),
        ("HEX", hex(bytes).to_uppercase()),
        ("percent-encoded", each(&|byte| format!("%{byte:02x}"), "")),
        ("PERCENT-ENCODED", each(&|byte| format!("%{byte:02X}"), "")),
        ("bytes by Debug", each(&|byte| byte.to_string(), ", ")),
        ("bytes as JSON", each(&|byte| byte.to_string(), ",")),
    ];
    // Base64 of a longer text shows it in one of three ways, as it begins in the first, second or third byte of a group.
    for lead in 0..3 {
        let led = [&[0; 2][..lead], bytes].concat();
        let (first, last) = ((lead * 8).div_ceil(6), (lead + bytes.len()) * 8 / 6);
        forms.push(("base64", STANDARD_NO_PAD.encode(&led)[first..last].to_owned()));
        forms.push(("base64url", URL_SAFE_NO_PAD.encode(&led)[first..last].to_owned()));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_form_in_the_middle_of_anything() {
        let secrets = [Secret::new("one", unique("one")), Secret::new("two", unique("two"))];
        let finder = Finder::new(&secrets);
        let text = &secrets[1].text;
        let found = |hay: String| -> Vec<usize> {
            let found = finder.find(hay.as_bytes());
            found.into_iter().map(|(secret, _)| secret).collect::<BTreeSet<_>>().into_iter().collect()
        };
        for before in ["", "x", "xy", "xyz", r#"{"a":""#] {
            let whole = format!("{before}{text}{before}");
            let percent = text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
            let encoded = [
                whole.clone(),
                STANDARD_NO_PAD.encode(&whole),
                URL_SAFE_NO_PAD.encode(&whole),
                hex(whole.as_bytes()),
                hex(whole.as_bytes()).to_uppercase(),
                percent,
                format!("{:?}", whole.as_bytes()),
                format!("{before}{}", &text[..20]),
                format!("{}{before}", &text[10..]),
            ];
            for hay in encoded {
                assert_eq!(found(format!("noise {hay} noise")), [1], "{hay}");
            }
        }
        assert_eq!(found(format!("{}{}", &text[..15], &text[17..])), Vec::<usize>::new());
    }

    #[test]
    fn no_two_places_have_one_secret() {
        assert_ne!(unique("a"), unique("b"));
        assert_eq!((unique("a").len(), unique_half("a").len()), (32, 16));
    }
}
