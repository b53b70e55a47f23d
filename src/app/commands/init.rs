//! `rettidig init`: the first configuration, and what comes next.

use super::{Outcome, say};
use crate::app::shipped;
use anyhow::Context as _;
use std::path::Path;

/// # Errors
/// When the folder cannot be written.
pub fn init(folder: &Path) -> anyhow::Result<Outcome> {
    let laid = shipped::lay_down(folder).with_context(|| format!("write {}", folder.display()))?;
    for path in &laid.written {
        say(&format!("written  {}", path.display()));
    }
    for path in &laid.kept {
        say(&format!("kept     {}", path.display()));
    }
    say(&next_steps(folder));
    Ok(Outcome::Done)
}

/// From here to the first own message. The commands can be copied as they stand.
fn next_steps(folder: &Path) -> String {
    let option = if folder == Path::new("config") { String::new() } else { format!(" --config {}", folder.display()) };
    format!(
        r#"
Next:

1. Look at {folder}/rettidig.toml, check it, and start the gateway:

     rettidig check {folder}
     rettidig run{option}

   It shows a link that is good once: open it in a browser and make the first account. Go on in another terminal.

2. Register a bin and its sensor. `rettidig registry template assets` (devices, crews, people) shows every column;
   without --apply you see what would change.

     printf 'id;kind\nbin-1;bin\n' > assets.csv
     printf 'id;sensor_type;asset\nsensor-1;bin-level;bin-1\n' > devices.csv
     rettidig registry import assets assets.csv --apply{option}
     rettidig registry import devices devices.csv --apply{option}

3. Give the sensor a login; its password is shown once.

     rettidig client add sensor-1 --role device=sensor-1{option}

4. Send the first message. 64 degrees in a bin raise an alarm.

     mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -u sensor-1 -P PASSWORD \
       -t rettidig/v1/up/sensor-1 -m '{{"temperature": 64, "fill": 0.3}}'
     rettidig alarm list{option}

   What cannot be used is never lost quietly: `rettidig quarantine{option}` shows it. `rettidig doctor{option}` says
   what is to be mended.
"#,
        folder = folder.display(),
    )
}
