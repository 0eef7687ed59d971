//! What another configuration would mean for the connections there are.

use std::fs;
use std::path::Path;

use connector_core::config::Config;

use super::args::Plan as Args;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::{config, plan_text};
use crate::data::PlanData;
use crate::error::{Error, Result};
use crate::layers::ConfigFiles;
use crate::plan::Plan;

pub(super) async fn run(setup: &Setup, args: &Args, output: Output) -> Result<Exit> {
    let (present, candidate) = match both(setup, args, output) {
        Err(Error::Config(problems)) if output.is_json() => {
            output.data(&config::refused(&problems));
            return Ok(Exit::Failed);
        }
        both => both?,
    };
    let warnings = config::warnings(&candidate, setup);
    for warning in &warnings {
        output.warn(warning);
    }
    let store = setup.store_to_look_at(&Setup::context()).await?;
    let plan = Plan::of(store.as_ref(), &setup.registry, &present.settings, &candidate.settings).await?;
    let data = PlanData::of(&plan, config::layers(&present), config::layers(&candidate), &warnings);
    output.either(&data, || plan_text::text(&setup.registry, &plan, &data.candidate.join(", then ")));
    Ok(if plan.changes() { Exit::Changes } else { Exit::Done })
}

/// The configuration as it is, and as it would be.
fn both(setup: &Setup, args: &Args, output: Output) -> Result<(Config, Config)> {
    let present = setup.config(output)?;
    let candidate = candidate(&setup.files(), args)?.load(&setup.registry)?;
    Ok((present, candidate))
}

/// The files of the candidate: the file is one more overlay, or stands in place of the operator's.
fn candidate(present: &ConfigFiles, Args { file, replace }: &Args) -> Result<ConfigFiles> {
    if let Some(same) = present.operator.iter().chain(&present.overlays).find(|read| is_same(read, file)) {
        return Err(Error::Request(format!(
            "{} is part of the configuration already, so there is nothing to compare: name the file as it would be, and with --config the operator's file as it is now",
            same.display()
        )));
    }
    let mut files = present.clone();
    if *replace {
        files.operator = Some(file.clone());
    } else {
        files.overlays.push(file.clone());
    }
    Ok(files)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
