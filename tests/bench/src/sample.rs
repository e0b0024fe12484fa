//! Repeated measurements and what is said of them.

/// Sorted measurements of one thing, in one unit.
pub struct Sample(Vec<f64>);

impl Sample {
    /// Takes `count` measurements; the first that fails ends it.
    pub fn take(count: usize, mut one: impl FnMut() -> Result<f64, String>) -> Result<Sample, String> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(one()?);
        }
        Sample::of(values)
    }

    /// Of measurements taken elsewhere: at least one.
    pub fn of(mut values: Vec<f64>) -> Result<Sample, String> {
        if values.is_empty() {
            return Err("nothing was measured".to_string());
        }
        values.sort_by(f64::total_cmp);
        Ok(Sample(values))
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The one that so many of a hundred are not above.
    pub fn at(&self, percent: usize) -> f64 {
        self.0[((self.0.len() * percent).div_ceil(100)).clamp(1, self.0.len()) - 1]
    }

    /// All of them, in order of size.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The largest.
    pub fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}
