use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::args::Doctor;
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use crate::apps::Realm;
use crate::doctor::{Area, Finding, Installation, Report, Severity, examine};
use crate::emulate::Emulated;
use crate::error::Result;
use crate::store::SqliteStore;

/// Looks at this installation, and changes nothing.
pub(super) async fn run(setup: &Setup, args: &Doctor, output: Output) -> Result<Exit> {
    let report = examine(&installation(setup, args.offline, output).await?).await;
    output.either(&data(&report), || text(&report));
    Ok(if report.needs_attention() { Exit::Person } else { Exit::Done })
}

/// What a command or a page looks at.
pub(super) async fn installation(setup: &Setup, offline: bool, output: Output) -> Result<Installation> {
    let (dir, cx, live) = (setup.data_dir()?, Setup::context(), !setup.global.emulator);
    output.detail(format!("data: {}", dir.display()));
    let store = setup.store_as_is(&cx).await;
    let store_files = if setup.global.database.is_some() { Vec::new() } else { SqliteStore::files(&dir) };
    Ok(Installation {
        registry: setup.registry.clone(),
        files: setup.files(),
        realm: realm(setup)?,
        keys: setup.key_source(&dir, live, output),
        dir,
        store_files,
        store,
        cx,
        offline,
        options: setup.same_options(),
    })
}

/// With `--emulator` those emulators that run; none is started.
fn realm(setup: &Setup) -> Result<Realm> {
    if !setup.global.emulator {
        return Ok(Realm::Live);
    }
    let dir = setup.emulator_dir()?;
    let running = |linked: &connector_core::Linked| Some((linked.id().clone(), Emulated::running(linked, &dir)?));
    Ok(Realm::Emulated(setup.registry.iter().filter_map(running).collect()))
}

fn data(report: &Report) -> Value {
    json!({
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "findings": report.findings().into_iter().map(row).collect::<Vec<_>>(),
        "ok": report.well().into_iter().map(Area::as_str).collect::<Vec<_>>(),
    })
}

fn row(finding: &Finding) -> Value {
    let Finding { kind, place, what, fix } = finding;
    json!({
        "id": kind.id(),
        "severity": kind.severity().as_str(),
        "area": kind.area().as_str(),
        "file": place.file.as_ref().map(ToString::to_string),
        "key": place.key.as_ref().map(ToString::to_string),
        "path": place.path.as_ref().map(|path| path.display().to_string()),
        "platform": place.platform.as_ref().map(ToString::to_string),
        "app": place.app,
        "connections": place.connections,
        "what": what,
        "fix": fix,
    })
}

fn text(report: &Report) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for area in Area::ALL {
        let findings = report.findings().into_iter().filter(|finding| finding.kind.area() == area);
        let lines: Vec<String> = findings.map(lines).collect();
        if !lines.is_empty() {
            blocks.push(format!("{}\n{}", area.as_str().bold(), lines.join("\n")));
        }
    }
    let well: Vec<&str> = report.well().into_iter().map(Area::as_str).collect();
    if !well.is_empty() {
        blocks.push(format::folded("ok: ", &well.join(", ")));
    }
    blocks.push(summary(report));
    blocks.join("\n\n")
}

/// A finding, with what to do about it on the next line.
fn lines(finding: &Finding) -> String {
    let (kind, first) = (finding.kind, format!("  {}: ", finding.kind.severity().as_str()));
    let what = format::folded(&first, &format!("{} [{}]", format::line(&finding.what), kind.id()));
    let what = match kind.severity() {
        Severity::Error => what.replacen(first.trim(), &first.trim().red().to_string(), 1),
        Severity::Warning => what.replacen(first.trim(), &first.trim().yellow().to_string(), 1),
        Severity::Note => what,
    };
    // In one line, so that a command in it can be copied.
    format!("{what}\n    fix: {}", format::line(&finding.fix))
}

fn summary(report: &Report) -> String {
    let count = |severity: Severity| (report.count(severity), severity.as_str());
    let counts = [count(Severity::Error), count(Severity::Warning), count(Severity::Note)];
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" })).collect();
    if told.is_empty() { "Nothing to do.".to_owned() } else { format!("{}.", told.join(", ")) }
}
