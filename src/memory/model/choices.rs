//! The decisions of a run, and the next run that decides otherwise.

/// A tree of decisions, walked depth first: each run follows a path, the next one the path beside.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// What was chosen, and of how many.
    path: Vec<(usize, usize)>,
    /// How far the present run has come along the path.
    at: usize,
}

impl Choices {
    /// One of `count`; the first of them unless an earlier run has been there.
    pub(super) fn choose(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        if self.at == self.path.len() {
            self.path.push((0, count));
        }
        let (chosen, of) = self.path[self.at];
        assert_eq!(of, count, "what is checked is not deterministic");
        self.at += 1;
        chosen
    }

    /// Prepares the next run; returns whether there is one.
    pub(super) fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, count)) = self.path.pop() {
            if chosen + 1 < count {
                self.path.push((chosen + 1, count));
                return true;
            }
        }
        false
    }

    /// What was chosen so far, for whoever has to explain a failure.
    pub(super) fn chosen(&self) -> Vec<usize> {
        self.path[..self.at]
            .iter()
            .map(|(chosen, _)| *chosen)
            .collect()
    }
}
