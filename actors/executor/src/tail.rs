//! The tail of an output, and how much came before it.

/// Keeps the last bytes, counts the others.
#[derive(Debug)]
pub struct Tail {
    bytes: Vec<u8>,
    keep_bytes: usize,
    dropped_bytes: u64,
}

impl Tail {
    /// Keeps at most `keep_bytes`.
    pub fn new(keep_bytes: usize) -> Tail {
        Tail { bytes: Vec::new(), keep_bytes, dropped_bytes: 0 }
    }

    /// Appends. Holds twice what it keeps at most, so that old bytes are moved out rarely.
    pub fn push(&mut self, new: &[u8]) {
        let new_kept = &new[new.len().saturating_sub(self.keep_bytes)..];
        self.dropped_bytes += (new.len() - new_kept.len()) as u64;
        self.bytes.extend_from_slice(new_kept);
        if self.bytes.len() >= 2 * self.keep_bytes {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.keep_bytes);
        self.bytes.drain(..excess);
        self.dropped_bytes += excess as u64;
    }

    /// The tail, and the number of bytes before it.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        self.cut();
        (self.bytes, self.dropped_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn keeps_the_last_bytes_whatever_the_pieces() {
        let all: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
        for piece in [1, 3, 7, 99, 100, 101, 250, 1000] {
            let mut tail = Tail::new(100);
            for part in all.chunks(piece) {
                tail.push(part);
                assert!(tail.bytes.len() < 2 * 100 + 100);
            }
            assert_eq!(tail.finish(), (all[900..].to_vec(), 900), "pieces of {piece}");
        }
    }

    #[test]
    fn short_output_is_whole() {
        let mut tail = Tail::new(100);
        tail.push(b"abc");
        assert_eq!(tail.finish(), (b"abc".to_vec(), 0));
    }
}
