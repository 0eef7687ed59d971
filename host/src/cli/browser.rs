use url::Url;

use super::output::Output;
use super::streams;

/// Sends the person to an address: printed always, and opened if that can be done here.
///
/// Whoever else works on this machine can read the address in the browser's command line. A file that leads there would not show it, but
/// browsers in a sandbox of their own cannot open one.
pub(super) fn send(url: &Url, open: bool, output: Output) {
    if open {
        output.note("A browser is opening. If it does not, open this address yourself:\n");
    } else {
        output.note("Open this address in a browser:\n");
    }
    // The address is the point of the command, so it is printed whatever else is quiet. It is for this person alone.
    streams::err(format!("  {url}\n"));
    if open {
        let url = url.clone();
        // A browser in the terminal runs until its person ends it, and the redirect has to be taken meanwhile.
        tokio::task::spawn_blocking(move || {
            if webbrowser::open(url.as_str()).is_err() {
                output.note("No browser can be opened from here: open the address above in one.");
            }
        });
    }
}
