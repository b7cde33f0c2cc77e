//! The real program in a terminal.

use std::process::Command;

use assert_cmd::cargo::cargo_bin;

use crate::support::{
    jobs::LocalJob,
    program::{Finops, assert_names},
    tree::Delivery,
};

/// Runs a command in a terminal of a width, and prints what the terminal gets.
const IN_TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// What a terminal of that width gets.
fn in_terminal(finops: &Finops, width: usize, arguments: &[&str]) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", IN_TERMINAL, &width.to_string()]).arg(cargo_bin!("finops")).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(finops.environment());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

fn job() -> LocalJob {
    let costs = ["1142924.199995313759161879", "12345678.123456789012"];
    LocalJob::new(&[
        Delivery::new("2025-09", "41524a17-eb1b-42b0-a538-0bcf352bc02c", &costs),
        Delivery::new("2025-10", "0bcf352b-eb1b-42b0-a538-0bcf352bc02c", &["-0.0000000186"]).in_parts(2),
    ])
}

#[test]
fn a_terminal_of_80_columns_gets_whole_amounts_and_ids_and_no_line_that_is_wider() {
    let job = job();
    let finops = job.finops.clone().with("TERM", "xterm-256color").with("NO_COLOR", "1");
    job.finops.report(0);
    let narrow = in_terminal(&finops, 80, &["status"]);
    assert_names(&narrow, &["2025-09  loaded, delivery 41524a17, 2 rows, 1 file, 13,488,602.32 USD", "-<0.01 USD"]);
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    let exact = in_terminal(&finops, 80, &["status", "--exact"]);
    assert_names(&exact, &["13488602.323452102771161879 USD", "-0.0000000186 USD"]);
    let wide = in_terminal(&finops, 120, &["status"]);
    assert_names(&wide, &["MONTH    STATE   DELIVERY  ROWS  FILES               COST  LOADED AT\n"]);
    assert_eq!(wide, finops.run(&["status"]).stdout, "a table that fits is the same in a pipe");
}

#[test]
fn results_have_colours_in_a_terminal_that_has_them() {
    let job = job();
    job.finops.report(0);
    let terminal = job.finops.clone().with("TERM", "xterm-256color");
    for (finops, is_coloured) in [
        (terminal.clone(), true),
        (terminal.clone().with("NO_COLOR", ""), true),
        (terminal.clone().with("NO_COLOR", "1"), false),
        (terminal.with("TERM", "dumb"), false),
        (job.finops.clone(), false),
    ] {
        for width in [80, 120] {
            let printed = in_terminal(&finops, width, &["status"]);
            assert_eq!(printed.contains("\u{1b}[32mloaded\u{1b}[0m"), is_coloured, "{printed:?}");
            assert_eq!(printed.contains('\u{1b}'), is_coloured, "{printed:?}");
        }
    }
}
