package import AccessPolicy

/// Where the policy comes from: the edge's store, or a double in tests.
///
/// Both calls must end: with a deadline of their own, and when the calling task is cancelled.
package protocol PolicySource: Sendable {
    /// A number that changes with every change of the policy. Cheap: asked several times a second.
    func version() async throws -> Int

    /// The whole policy as it is now, at least as new as the version read before.
    func load() async throws -> AccessSnapshot
}
