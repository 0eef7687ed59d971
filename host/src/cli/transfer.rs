//! Connections that come from another program, and go to one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Read};
use std::path::Path;

use connector_core::PlatformId;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};

use super::args::{Adopt, Export, Import};
use super::exit::Exit;
use super::output::Output;
use super::{ask, format};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::private_files::{self, FileError};
use crate::shell;
use crate::store::{Connected, ConnectionFilter};
use crate::transfer::{
    ExportOutcome, Exported, Exporting, ImportOutcome, ImportedLine, Importer, Importing, Line, Lines,
};

/// So many lines are one transaction.
const BATCH: usize = 200;

/// So many lines are read between two notes of how far it is.
const NOTED: u64 = 2_000;

/// What a person has to do, in this order.
const ORDER: &str = "Imported connections are held: nothing is sent with their tokens. Now stop the old owner from refreshing them, import once \
                     more with its newest tokens, then `connector-host connections adopt --all --platform`";

pub(super) async fn import(host: &Host, tenant: &str, args: &Import, output: Output) -> Result<Exit> {
    let platform: PlatformId = args.platform.parse()?;
    let importing = Importing { tenant: tenant.to_owned(), platform, app: args.app.clone(), dry_run: args.dry_run };
    let mut importer = Importer::new(host, importing)?;
    let mut batches = read(&args.file)?;
    let mut counts: BTreeMap<ImportOutcome, u64> = BTreeMap::new();
    let mut tenants: BTreeSet<String> = BTreeSet::new();
    let (mut lines, mut noted) = (0, 0);
    while let Some(batch) = batches.recv().await {
        let batch = batch.map_err(|error| cannot("read", &args.file, &error))?;
        for done in importer.import(&batch).await? {
            *counts.entry(done.outcome).or_default() += 1;
            lines += 1;
            tenants.extend(done.tenant.clone().filter(|_| done.outcome < ImportOutcome::Unchanged));
            output.line(&line_json(&done), || line_text(&done));
        }
        if lines - noted >= NOTED {
            noted = lines;
            output.note(format!("{} lines so far", format::count(i64::try_from(lines).unwrap_or(i64::MAX))));
        }
    }
    let counted = [
        ImportOutcome::Imported,
        ImportOutcome::Updated,
        ImportOutcome::Unchanged,
        ImportOutcome::Kept,
        ImportOutcome::Failed,
    ];
    let counted = counted.map(|outcome| (outcome.as_str(), counts.get(&outcome).copied().unwrap_or_default()));
    let summary: serde_json::Map<String, Value> =
        counted.iter().map(|(word, count)| ((*word).to_owned(), json!(count))).collect();
    output.line(&json!({ "summary": summary, "lines": lines, "dry_run": args.dry_run }), || {
        let words = counted.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ");
        let dry = if args.dry_run { "Dry run, nothing was changed. " } else { "" };
        format!("{dry}{lines} lines: {words}.")
    });
    if !args.dry_run && !tenants.is_empty() {
        output.note(format!("{ORDER} {}.", adopting(&args.platform, &tenants)));
    }
    Ok(if counts.contains_key(&ImportOutcome::Failed) { Exit::Failed } else { Exit::Done })
}

/// So many tenants are named one by one.
const NAMED: usize = 5;

/// The commands that adopt what was imported: each is one tenant's.
fn adopting(platform: &str, tenants: &BTreeSet<String>) -> String {
    let command = |tenant: &str| {
        format!("`connector-host connections adopt --all --platform {platform} --tenant {}`", shell::word(tenant))
    };
    if tenants.len() > NAMED {
        return format!("{} for each of the {} tenants", command("TENANT"), tenants.len());
    }
    tenants.iter().map(|tenant| command(&format::text(tenant))).collect::<Vec<_>>().join(" and ")
}

fn line_json(done: &ImportedLine) -> Value {
    json!({
        "line": done.line,
        "tenant": done.tenant,
        "account_id": done.account_id,
        "connection": done.connection.as_ref().map(ToString::to_string),
        "outcome": done.outcome.as_str(),
        "why": done.why,
    })
}

fn line_text(done: &ImportedLine) -> String {
    let account = done.account_id.as_deref().map(|id| format!(" {}", format::text(id))).unwrap_or_default();
    let why = done.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("line {}{account} {}{why}", done.line, done.outcome.as_str())
}

type Batch = io::Result<Vec<Line>>;

/// Reads in a thread of its own, never more than a few batches ahead: a pipe that says nothing must not keep ctrl-C from being heard.
fn read(file: &Path) -> Result<Receiver<Batch>> {
    let from: Box<dyn Read + Send> = if is_standard(file) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| cannot("open", file, &error))?)
    };
    let (tell, batches) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = Lines::of(BufReader::new(from));
        loop {
            let batch = next_batch(&mut lines);
            let last = batch.as_ref().map_or(true, Vec::is_empty);
            // Nobody listens any more once the command has failed.
            if batch.as_ref().is_ok_and(Vec::is_empty) || tell.blocking_send(batch).is_err() || last {
                return;
            }
        }
    });
    Ok(batches)
}

fn next_batch(lines: &mut Lines<BufReader<Box<dyn Read + Send>>>) -> Batch {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        match lines.next_line()? {
            Some(line) => batch.push(line),
            None => break,
        }
    }
    Ok(batch)
}

pub(super) async fn export(host: &Host, tenant: &str, args: &Export, output: Output) -> Result<Exit> {
    let platform: PlatformId = args.platform.parse()?;
    host.platform(platform.as_str())?.settings.app(&args.app)?;
    let exporting = Exporting { tenant: tenant.to_owned(), platform, app: args.app.clone(), with_held: args.held };
    if is_standard(&args.file) {
        if io::stdout().is_terminal() {
            return Err(Error::Request(
                "tokens are not written to a terminal: name a file, or send the output to a program".to_owned(),
            ));
        }
        let exported = host.export(&exporting, &mut io::stdout()).await?;
        for done in &exported {
            output.note(exported_text(done));
        }
        return Ok(close(&exported, &args.platform, output));
    }
    let file = create(&args.file)?;
    let mut to = BufWriter::new(file);
    let exported = host.export(&exporting, &mut to).await?;
    let synced = to.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    synced.map_err(|error| cannot("write", &args.file, &error))?;
    for done in &exported {
        output.line(&exported_json(done), || exported_text(done));
    }
    Ok(close(&exported, &args.platform, output))
}

/// A new file that nobody else may read.
fn create(path: &Path) -> Result<File> {
    match private_files::create(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Request(format!(
            "`{}` is there already, and nothing is written over: name a file that is not",
            path.display()
        ))),
        Err(error) => Err(cannot("make", path, &error)),
    }
}

fn close(exported: &[Exported], platform: &str, output: Output) -> Exit {
    let written = exported.iter().filter(|done| done.outcome == ExportOutcome::Exported).count();
    output.note(format!("{written} exported, {} skipped.", exported.len() - written));
    if written > 0 {
        output.note(format!(
            "What was exported is held here, so that the new owner alone refreshes it: import it there, adopt it there, and delete the export. To take it back: stop the new owner, import its newest tokens here, then `connector-host connections adopt --all --platform {platform}`."
        ));
    }
    if written == exported.len() { Exit::Done } else { Exit::Failed }
}

fn exported_json(done: &Exported) -> Value {
    let (outcome, why) = match done.outcome {
        ExportOutcome::Exported => ("exported", None),
        ExportOutcome::Skipped(why) => ("skipped", Some(why)),
    };
    json!({ "connection": done.connection.as_str(), "account_id": done.account_id, "outcome": outcome, "why": why })
}

fn exported_text(done: &Exported) -> String {
    let account = format::text(&done.account_id);
    match done.outcome {
        ExportOutcome::Exported => format!("{} {account} exported", done.connection),
        ExportOutcome::Skipped(why) => format!("{} {account} skipped: {why}", done.connection),
    }
}

pub(super) async fn adopt(host: &Host, tenant: &str, args: &Adopt, output: Output) -> Result<Exit> {
    let (chosen, all) = match (&args.connection, &args.platform) {
        (Some(text), _) => (vec![named(host, tenant, text, args.exported).await?], false),
        (None, platform) => (imported(host, tenant, platform.as_deref()).await?, true),
    };
    let (mut adopted, mut failed, mut stopped) = (Vec::new(), Vec::new(), None);
    for connected in &chosen {
        let id = connected.connection.id.as_str();
        match host.adopt(connected).await {
            Ok(()) => adopted.push(id),
            Err(Error::Request(why)) if all => failed.push((id, why)),
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    if let Some(error) = stopped {
        if !adopted.is_empty() {
            output.note(format!("Adopted before it failed, and refreshed here from now on: {}", adopted.join(", ")));
        }
        return Err(error);
    }
    let not = failed.iter().map(|(id, why)| json!({ "connection": id, "why": why })).collect::<Value>();
    output.either(&json!({ "adopted": adopted, "failed": not }), || {
        let done = format!("{} adopted: from now on they are refreshed here.", adopted.len());
        let failed = failed.iter().map(|(_, why)| format!("Not adopted: {why}"));
        std::iter::once(done).chain(failed).collect::<Vec<_>>().join("\n")
    });
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Failed })
}

/// One connection. Of one that was exported somebody else may have the tokens, who is not asked.
async fn named(host: &Host, tenant: &str, text: &str, exported: bool) -> Result<Connected> {
    let connected = ask::one(host, tenant, text).await?;
    if connected.grant.state.is_held_for("exported") && !exported {
        return Err(Error::Request(format!(
            "the connection {} was exported from here, and whoever imported it refreshes its tokens: two who do lose them. Stop the new owner and import its newest tokens here; or pass --exported if nobody has imported it",
            connected.connection.id
        )));
    }
    Ok(connected)
}

/// All that were imported. What was exported is not among them: it is somebody else's until that one's newest tokens come back.
async fn imported(host: &Host, tenant: &str, platform: Option<&str>) -> Result<Vec<Connected>> {
    let platform = platform.map(str::parse).transpose()?;
    let filter = ConnectionFilter { tenant: tenant.to_owned(), platform, ..ConnectionFilter::default() };
    let mut held = host.store().connections(&filter).await?;
    let is_live = |connected: &Connected| connected.connection.disconnected_at.is_none();
    held.retain(|connected| is_live(connected) && connected.grant.state.is_held_for("imported"));
    Ok(held)
}

fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn cannot(doing: &'static str, path: &Path, error: &io::Error) -> Error {
    let source = io::Error::new(error.kind(), error.to_string());
    FileError::Io { doing, path: path.to_owned(), source }.into()
}
