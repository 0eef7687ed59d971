use serde_json::json;

use super::args::Backup;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::error::Result;

pub(super) async fn run(setup: &Setup, args: &Backup, output: Output) -> Result<Exit> {
    let store = setup.file(&Setup::context(), output).await?;
    let keys = setup.key_source(&setup.data_dir()?, !setup.global.emulator, output)?;
    store.back_up(&args.file).await?;
    store.close().await;
    let data = json!({ "file": args.file, "store": store.path(), "keys": keys.to_string() });
    output.either(&data, || {
        format!(
            "Copied {} to {}.\nThe keys are not in it: keep a copy of those in {} in another place. Neither is of use without the other.",
            store.path().display(),
            args.file.display(),
            keys
        )
    });
    Ok(Exit::Done)
}
