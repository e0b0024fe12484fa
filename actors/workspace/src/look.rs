//! A look at the workspace, before something is asked of it.

use rustix::io::Errno;

use crate::area::Area;
use crate::beneath;
use crate::change::well_formed;
use crate::effects::NodeKind;
use crate::error::{At, StageError};
use crate::node;
use crate::parents::Parents;

impl Area {
    /// What a path is, of the workspace or of a directory beside it that may be changed; `None` when nothing is there. No link
    /// is followed.
    pub fn look(&self, path: &[u8]) -> Result<Option<NodeKind>, StageError> {
        let (place, path) = self.place(path)?;
        well_formed(path, &self.limits).map_err(|why| StageError::Change { path: path.to_vec(), why })?;
        let (above, name) = beneath::split(path);
        let mut parents = Parents::new(self.place_top(place));
        let dir = match parents.get(above) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(errno).at("open", above)?,
        };
        match beneath::look(dir, name).at("look at", path)? {
            Some(stat) => node::kind(&stat, path).map(Some),
            None => Ok(None),
        }
    }
}
