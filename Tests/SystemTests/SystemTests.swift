import Testing

/// Whole programs against real counterparts. `Tests/run` installs what these need; on two cores they run one by one.
@Suite(.serialized) enum SystemTests {}
