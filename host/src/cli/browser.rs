use url::Url;

use super::output::Output;

/// Sends the person to an address: opened if that can be done here, printed always.
pub(super) fn send(url: &Url, open: bool, output: Output) {
    if !open {
        output.note("Open this address in a browser:\n");
    } else if webbrowser::open(url.as_str()).is_ok() {
        output.note("A browser is opening. If it does not, open this address yourself:\n");
    } else {
        output.note("No browser can be opened from here. Open this address in one:\n");
    }
    // The address is the point of the command, so it is printed whatever else is quiet. It is for this person alone.
    anstream::eprintln!("  {url}\n");
}
