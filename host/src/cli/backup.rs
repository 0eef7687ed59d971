use serde_json::json;

use super::args::Backup;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::error::Result;
use crate::vault::KeyFile;

pub(super) async fn run(setup: &Setup, args: &Backup, output: Output) -> Result<Exit> {
    let store = setup.store(&Setup::context(), output).await?;
    store.back_up(&args.file).await?;
    store.close().await;
    let key = setup.data_dir()?.join(KeyFile::NAME);
    let data = json!({ "file": args.file, "store": store.path(), "key_file": key });
    output.either(&data, || {
        format!(
            "Copied {} to {}.\nThe key is not in it: keep a copy of {} in another place. Neither is of use without the other.",
            store.path().display(),
            args.file.display(),
            key.display()
        )
    });
    Ok(Exit::Done)
}
