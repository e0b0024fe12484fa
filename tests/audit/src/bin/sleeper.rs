//! Stands for a role and does nothing: what it has is what it was started with.

fn main() {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
