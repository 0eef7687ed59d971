//! What a vault promises.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::testing::{FakeClock, FakeTransport, size};
use connector_core::{Context, Error, Random, Secret, SystemRandom};
use tempfile::TempDir;

use super::key_file;
use super::{Binding, IfMissing, KeyFile, KeyRing, KeySource, Sealed, Vault, VaultError, field};

const TOKEN: &str = "act.0123456789.live";
const PLACE: Binding<'static> = Binding { tenant: "default", owner: "grant-1", field: field::ACCESS, generation: 1 };

fn fake() -> Context {
    FakeTransport::default().context()
}

fn with_random(random: impl Random + 'static) -> Context {
    Context::new(Arc::new(FakeTransport::default()), Arc::new(FakeClock::default()), Arc::new(random))
}

fn vault(cx: &Context) -> Vault {
    Vault::new(KeyRing::generate(cx).unwrap())
}

fn load(cx: &Context, dir: &Path) -> Result<KeyFile, VaultError> {
    KeyFile::load_or_create(cx, dir, IfMissing::Refuse)
}

/// A data directory, which is gone after the test.
struct DataDir {
    _parent: TempDir,
    path: PathBuf,
}

impl DataDir {
    fn new() -> Self {
        let parent = TempDir::new().unwrap();
        Self { path: parent.path().join("data"), _parent: parent }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// A data directory with a key file in it.
fn with_key_file(cx: &Context) -> (DataDir, KeyFile) {
    let dir = DataDir::new();
    let file = KeyFile::load_or_create(cx, dir.path(), IfMissing::Create).unwrap();
    (dir, file)
}

#[test]
fn what_was_sealed_opens_in_its_place() {
    let cx = fake();
    let vault = vault(&cx);
    for text in ["", TOKEN, "ü 🗝 \0", &"x".repeat(100_000)] {
        let sealed = vault.seal(&cx, &PLACE, &Secret::from(text)).unwrap();
        assert!(vault.open(&PLACE, &sealed).unwrap().matches(text));
        let stored = Sealed::from_stored(sealed.as_bytes().to_vec());
        assert!(vault.open(&PLACE, &stored).unwrap().matches(text));
        assert_eq!(stored.as_bytes().len(), 1 + 4 + 24 + text.len() + 16);
    }
}

#[test]
fn it_opens_in_no_other_place() {
    let cx = fake();
    let vault = vault(&cx);
    let sealed = vault.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    let others = [
        Binding { tenant: "other", ..PLACE },
        Binding { owner: "grant-2", ..PLACE },
        Binding { field: field::REFRESH, ..PLACE },
        Binding { generation: 2, ..PLACE },
        Binding { generation: -1, ..PLACE },
        // The same texts, cut elsewhere.
        Binding { tenant: "defaultg", owner: "rant-1", ..PLACE },
        Binding { tenant: "", owner: "defaultgrant-1", ..PLACE },
        Binding { owner: "grant-1a", field: "ccess", ..PLACE },
    ];
    for place in others {
        assert!(matches!(vault.open(&place, &sealed), Err(VaultError::Damaged)), "{place:?}");
    }
}

#[test]
fn no_bit_of_it_can_be_flipped() {
    let cx = fake();
    let vault = vault(&cx);
    let sealed = vault.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    for bit in 0..sealed.as_bytes().len() * 8 {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open(&PLACE, &Sealed::from_stored(bytes)).is_err(), "bit {bit}");
    }
    for length in 0..sealed.as_bytes().len() {
        let cut = Sealed::from_stored(sealed.as_bytes()[..length].to_vec());
        assert!(vault.open(&PLACE, &cut).is_err(), "{length} bytes");
    }
}

/// `NONCES=1000000` for more of them.
#[test]
fn no_nonce_repeats() {
    let cx = with_random(SystemRandom);
    let vault = vault(&cx);
    let mut nonces = HashSet::new();
    for _ in 0..size("NONCES", 10_000) {
        let sealed = vault.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
        assert!(nonces.insert(sealed.parts().unwrap().nonce));
    }
}

#[test]
fn without_randomness_nothing_is_sealed() {
    struct Broken;
    impl Random for Broken {
        fn fill(&self, _: &mut [u8]) -> connector_core::Result<()> {
            Err(Error::config("the system gives no randomness"))
        }
    }
    let vault = vault(&fake());
    let broken = with_random(Broken);
    assert!(matches!(vault.seal(&broken, &PLACE, &Secret::from(TOKEN)), Err(VaultError::NoRandomness(_))));
    assert!(KeyRing::generate(&broken).is_err());
}

#[test]
fn another_key_is_recognised_by_name_and_by_content() {
    let cx = fake();
    let (ours, theirs) = (vault(&cx), vault(&cx));
    let proof = ours.prove(&cx).unwrap();
    ours.verify(&proof).unwrap();
    let error = theirs.verify(&proof).unwrap_err();
    let (needed, held) = (ours.key_ids()[0], theirs.key_ids()[0]);
    assert!(matches!(&error, VaultError::WrongKey { needed: n, held: h } if *n == needed && *h == [held]));
    assert!(
        error.to_string().contains(&needed.to_string()) && error.to_string().contains(&held.to_string()),
        "{error}"
    );

    let sealed = ours.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    let lost: Error = theirs.open(&PLACE, &sealed).unwrap_err().into();
    assert_eq!(lost.kind().as_str(), "reauth_required");

    let key = theirs.keys().ring.to_text().replace(&held.to_string(), &needed.to_string());
    let error = Vault::new(KeyRing::parse(&key).unwrap()).verify(&proof).unwrap_err();
    assert!(matches!(error, VaultError::SameIdOtherKey { id: Some(id) } if id == needed), "{error}");
}

#[test]
fn older_keys_open_and_the_first_one_seals() {
    let cx = fake();
    let (older, newer) = (KeyRing::generate(&cx).unwrap(), KeyRing::generate(&cx).unwrap());
    let rotated = Vault::new(KeyRing::parse(&format!("{}{}", *newer.to_text(), *older.to_text())).unwrap());
    let (older, newer) = (Vault::new(older), Vault::new(newer));
    let sealed = older.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    assert!(rotated.open(&PLACE, &sealed).unwrap().matches(TOKEN));
    let sealed = rotated.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    assert_eq!(sealed.key_id(), newer.key_ids().first().copied());
    assert!(newer.open(&PLACE, &sealed).unwrap().matches(TOKEN));
}

#[test]
fn a_ring_goes_on_from_another_by_its_key_or_by_the_name_of_a_key_that_is_gone() {
    let cx = with_random(SystemRandom);
    let first = KeyRing::generate(&cx).unwrap();
    let rotated = first.with_fresh_key(&cx).unwrap();
    let old = first.ids().next().unwrap();
    let alone = rotated.without(old);
    assert_eq!(rotated.ids().nth(1), Some(old));
    assert_eq!(alone.ids().collect::<Vec<_>>(), [rotated.ids().next().unwrap()]);
    assert!(rotated.to_text().ends_with(&*first.to_text()), "nothing of the old file is lost");
    assert!(alone.to_text().ends_with(&format!("{old} retired\n")));
    let again = KeyRing::parse(&alone.to_text()).unwrap();
    assert_eq!(*again.to_text(), *alone.to_text());
    for (ring, other, expected) in [
        (&rotated, &first, true),
        (&again, &first, true),
        (&again, &rotated, true),
        (&rotated, &again, true),
        (&first, &rotated, false),
        (&first, &again, false),
        (&KeyRing::generate(&cx).unwrap(), &first, false),
    ] {
        assert_eq!(ring.continues(other), expected, "{ring:?} after {other:?}");
    }
    let impostor = format!("{old} {}", KeyRing::generate(&cx).unwrap().to_text().split_once(' ').unwrap().1);
    assert!(!KeyRing::parse(&impostor).unwrap().continues(&first), "the name alone is not the key");
    let twice = format!("{}{old} retired\n", *first.to_text());
    assert!(KeyRing::parse(&twice).is_err());
    assert!(KeyRing::parse(&format!("{old} retired\n")).is_err(), "a ring has a key");
}

#[test]
fn a_text_of_keys_may_have_its_lines_in_a_row() {
    let cx = with_random(SystemRandom);
    let ring = KeyRing::generate(&cx).unwrap().with_fresh_key(&cx).unwrap();
    let (text, rest) = (ring.to_text(), ring.ids().collect::<Vec<_>>());
    for text in [text.to_string(), text.replace('\n', ";"), text.replace('\n', " ; \n\n")] {
        let source = KeySource::Text { name: "KEYS".to_owned(), text: Secret::from(text) };
        assert_eq!(source.read().unwrap().ids().collect::<Vec<_>>(), rest);
        assert!(source.stamp().is_none() && !source.is_writable());
    }
    for (text, why) in
        [("", "line 1: there is no key"), ("x", "line 1: it is not"), ("aabbccdd e; f", "line 1: the key is not")]
    {
        let source = KeySource::Text { name: "KEYS".to_owned(), text: Secret::from(text) };
        let error = source.read().unwrap_err().to_string();
        assert!(error.starts_with("KEYS holds no keys: ") && error.contains(why), "{error}");
        assert!(!format!("{source:?}").contains("aabbccdd"));
    }
}

#[test]
fn a_key_file_is_made_once_and_read_again() {
    let cx = fake();
    let (dir, made) = with_key_file(&cx);
    assert!(made.made);
    assert_eq!(made.path, dir.path().join(KeyFile::NAME));
    let read = load(&cx, dir.path()).unwrap();
    assert!(!read.made);
    let sealed = Vault::new(made.ring).seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    assert!(Vault::new(read.ring).open(&PLACE, &sealed).unwrap().matches(TOKEN));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft may stay behind");
}

#[test]
fn a_key_file_is_read_whole_while_it_is_replaced() {
    let cx = with_random(SystemRandom);
    let (dir, file) = with_key_file(&cx);
    let path = dir.path().join(KeyFile::NAME);
    let replacing = std::thread::spawn(move || {
        for ring in [file.ring.with_fresh_key(&cx).unwrap(), file.ring].iter().cycle().take(300) {
            key_file::replace(&path, ring).unwrap();
        }
    });
    while !replacing.is_finished() {
        let held = load(&fake(), dir.path()).unwrap().ring.ids().count();
        assert!((1..=2).contains(&held));
    }
    replacing.join().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft may stay behind");
}

#[test]
fn a_missing_key_file_is_refused_where_values_are_sealed() {
    let dir = DataDir::new();
    let error = load(&fake(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("vault.key` is missing") && error.contains("put the file back"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_malformed_key_file_is_refused_by_its_line_alone() {
    let cx = fake();
    let (dir, file) = with_key_file(&cx);
    let good = fs::read_to_string(&file.path).unwrap();
    let key = good.trim_end().split_once(' ').unwrap().1;
    let cases = [
        (String::new(), "line 1: there is no key"),
        (format!("{good}\n"), "line 2: it is not"),
        (format!("{good}nonsense\n"), "line 2: it is not"),
        (format!("zzzzzzzz {key}\n"), "line 1: the key id is not"),
        (format!("{good}00ff00ff {}\n", &key[..20]), "line 2: the key is not"),
        (format!("{good}00ff00ff {key}!\n"), "line 2: the key is not base64"),
        (format!("{good}{good}"), "line 2: another line has the same key id"),
        (good.repeat(2_000), "line 1: it is far too long"),
    ];
    for (text, expected) in cases {
        fs::write(&file.path, &text).unwrap();
        let error = load(&cx, dir.path()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains(&key[..8]) && !shown.contains("nonsense"), "{shown}");
    }
    fs::write(&file.path, [0xff, 0xfe]).unwrap();
    assert!(load(&cx, dir.path()).unwrap_err().to_string().contains("it is not text"));
}

#[test]
fn nothing_shows_a_secret() {
    let cx = with_random(SystemRandom);
    let (_dir, file) = with_key_file(&cx);
    let text = fs::read_to_string(&file.path).unwrap();
    let key = text.trim_end().split_once(' ').unwrap().1;
    let shown_file = format!("{file:?}");
    let vault = Vault::new(file.ring);
    let sealed = vault.seal(&cx, &PLACE, &Secret::from(TOKEN)).unwrap();
    let error = vault.open(&Binding { generation: 2, ..PLACE }, &sealed).unwrap_err();
    let shown = format!("{shown_file} {vault:?} {sealed:?} {error:?} {error} {:?}", Error::from(VaultError::Damaged));
    assert!(!shown.contains(key) && !shown.contains(TOKEN), "{shown}");
    assert!(!sealed.as_bytes().windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_file_is_for_its_owner_alone() {
        let cx = fake();
        let (data, file) = with_key_file(&cx);
        let dir = data.path();
        assert_eq!((mode(dir), mode(&file.path)), (0o700, 0o600));
        for open in [0o640, 0o604, 0o660, 0o644] {
            set_mode(&file.path, open);
            let error = load(&cx, dir).unwrap_err().to_string();
            let remedy = format!("(mode {open:04o}): run `chmod 600 {}`", file.path.display());
            assert!(error.contains(&remedy), "{error}");
        }
        set_mode(&file.path, 0o400);
        load(&cx, dir).unwrap();
        set_mode(dir, 0o755);
        let error = load(&cx, dir).unwrap_err().to_string();
        assert!(error.contains(&format!("(mode 0755): run `chmod 700 {}`", dir.display())), "{error}");
    }

    #[test]
    fn a_link_is_no_key_file() {
        let cx = fake();
        let (elsewhere, file) = with_key_file(&cx);
        let (dir, other) = with_key_file(&cx);
        fs::remove_file(&other.path).unwrap();
        symlink(&file.path, other.path).unwrap();
        let error = load(&cx, dir.path()).unwrap_err().to_string();
        assert!(error.contains("is not a file"), "{error}");
        let linked = dir.path().join("linked");
        symlink(elsewhere.path(), &linked).unwrap();
        let error = load(&cx, &linked).unwrap_err().to_string();
        assert!(error.contains("is not a directory"), "{error}");
    }

    #[test]
    fn somebody_elses_key_file_is_refused() {
        let cx = fake();
        let (dir, file) = with_key_file(&cx);
        // Only the super-user can give a file away.
        if chown(&file.path, Some(65_534), None).is_ok() {
            let error = load(&cx, dir.path()).unwrap_err().to_string();
            assert!(error.contains("belongs to the user with id 65534"), "{error}");
        }
    }
}
