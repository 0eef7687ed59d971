use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

/// Looks for secrets in whatever form somebody could have written them down.
pub(crate) struct Leaks {
    /// What is looked for, by a name that may be shown.
    pub(crate) needles: Vec<(String, Vec<u8>)>,
}

impl Leaks {
    /// Of these values, each with a name that may be shown.
    pub(crate) fn of(secrets: &[(String, String)]) -> Self {
        assert!(secrets.iter().all(|(_, value)| value.len() >= 16), "a short text is found everywhere");
        Self { needles: secrets.iter().flat_map(|(name, value)| needles(name, value)).collect() }
    }

    /// The names and forms of what these bytes hold.
    pub(crate) fn within(&self, bytes: &[u8]) -> Vec<&str> {
        let held = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        self.needles.iter().filter(|(_, needle)| held(needle)).map(|(name, _)| name.as_str()).collect()
    }

    /// The same for every file under a directory, and how many there are.
    pub(crate) fn under(&self, dir: &Path) -> (Vec<String>, usize) {
        let files = files(dir);
        let found = files.iter().flat_map(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            self.within(&bytes).iter().map(|what| format!("{what} in {}", path.display())).collect::<Vec<_>>()
        });
        (found.collect(), files.len())
    }
}

/// A value as it is, and encoded. In base64 what stands before it decides the letters, so each of the three places counts.
fn needles(name: &str, value: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut forms = vec![
        ("raw", value.to_owned()),
        ("form", byte_serialize(bytes).collect()),
        ("hex", hex::encode(bytes)),
        ("HEX", hex::encode_upper(bytes)),
        ("base64 with padding", STANDARD.encode(bytes)),
    ];
    for (skip, before) in [(0, ""), (2, "x"), (3, "xx")] {
        let bytes = [before.as_bytes(), bytes].concat();
        let whole = bytes.len() / 3 * 4;
        forms.push(("base64", STANDARD_NO_PAD.encode(&bytes)[skip..whole].to_owned()));
        forms.push(("base64url", URL_SAFE_NO_PAD.encode(&bytes)[skip..whole].to_owned()));
    }
    forms.into_iter().map(|(form, text)| (format!("{name} ({form})"), text.into_bytes())).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}
