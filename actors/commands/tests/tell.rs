//! What is told of the commands in a file: for whoever looks for mistakes. `COMMANDS=file cargo test -p chela-commands --test tell -- --nocapture`.

use chela_commands::judged;

#[test]
fn each_line_of_a_file_is_told() {
    let Ok(path) = std::env::var("COMMANDS") else { return };
    for line in std::fs::read_to_string(path).expect("the file").lines() {
        let command = line.replace('⏎', "\n");
        println!("{line}\n      {:?}", judged(&command));
    }
}
