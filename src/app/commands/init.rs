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

/// From here to the first own message, as the README tells it. The commands can be copied as they stand.
fn next_steps(folder: &Path) -> String {
    let option = if folder == Path::new("config") { String::new() } else { format!(" --config {}", folder.display()) };
    format!(
        r#"
Next:

1. Look at {folder}/rettidig.toml, check it, and start the gateway:

     rettidig check {folder}
     rettidig run{option}

   It shows a link that is good once: open it in a browser and make the first account. Go on in another terminal.

2. Say what you look after, and who can be sent. The templates are valid files to start from; without --apply you see
   what would change. People come first, because a bed is somebody's; sensors last, because they hang on something.

     rettidig registry template people  > people.csv
     rettidig registry template crews   > crews.csv
     rettidig registry template assets  > assets.csv
     rettidig registry template devices > devices.csv
     rettidig registry import people  people.csv  --apply{option}
     rettidig registry import crews   crews.csv   --apply{option}
     rettidig registry import assets  assets.csv  --apply{option}
     rettidig registry import devices devices.csv --apply{option}

3. Give the sensor and the crew's phone a login. A password is shown once; here it goes into a variable.

     SENSOR=$(rettidig client add bin-001-level --role device=bin-001-level{option} | sed -n 's/^password *//p')
     PHONE=$(rettidig client add truck-1 --role crew=crew-1{option} | sed -n 's/^password *//p')

4. Send the first message. 64 degrees in a bin raise an alarm at once (86 % full would do so after ten minutes), the
   crew gets the task and accepts it.

     mosquitto_pub -h 127.0.0.1 -u bin-001-level -P "$SENSOR" -i bin-001-level -q 1 \
       -t rettidig/v1/up/bin-001-level -m '{{"temperature": 64, "fill": 0.86, "battery": 97}}'
     rettidig alarm list{option}
     mosquitto_sub -h 127.0.0.1 -u truck-1 -P "$PHONE" -i truck-1 -c -q 1 -C 1 -t rettidig/v1/crew/crew-1/tasks
     mosquitto_pub -h 127.0.0.1 -u truck-1 -P "$PHONE" -i truck-1 -q 1 \
       -t rettidig/v1/crew/crew-1/replies -m '{{"task": 1, "answer": "accepted"}}'
     rettidig task list{option}

   What cannot be used is never lost quietly: `rettidig quarantine{option}` shows it. `rettidig doctor{option}` says
   what is to be mended.
"#,
        folder = folder.display(),
    )
}
