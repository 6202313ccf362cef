//! Figures of paired rounds: each round has every way once, one after the other, and only ratios within a round are
//! compared.

/// All rounds of one load.
#[derive(Debug, Clone)]
pub(crate) struct Rounds<Way, Run>(pub(crate) Vec<Vec<(Way, Run)>>);

/// Least, median, greatest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values.get((values.len() - 1) / 2)?, values.get(values.len() / 2)?);
        Some(Self { min, median: f64::midpoint(*low, *high), max })
    }
}

impl<Way: PartialEq, Run> Rounds<Way, Run> {
    /// A figure of one way over the rounds.
    pub(crate) fn spread(&self, way: &Way, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        let runs = self.0.iter().flatten().filter(|(of, _)| of == way);
        Spread::of(runs.map(|(_, run)| figure(run)).collect())
    }

    /// The figure of `way` divided by that of `to` in the same round.
    pub(crate) fn ratio(&self, way: &Way, to: &Way, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        let of = |round: &[(Way, Run)], way| round.iter().find(|(of, _)| of == way).map(|(_, run)| figure(run));
        let ratio = |round: &Vec<(Way, Run)>| {
            let (ours, theirs) = (of(round, way)?, of(round, to)?);
            (theirs > 0.0).then_some(ours / theirs)
        };
        Spread::of(self.0.iter().filter_map(ratio).collect())
    }
}

/// Where a part of sorted values lies below.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = sorted.get((sorted.len() as f64 * part) as usize).or_else(|| sorted.last());
    at.copied().unwrap_or_default()
}
