/// Says when a path leads to other content than before: written in place, replaced by rename, or behind a symbolic link
/// that was turned to another file.
///
/// Lives for one ``run(onWatching:changed:)``. Watches directories, since a watch on the file itself is lost with the
/// first rename.
package struct FileWatcher: Sendable {
    package let path: String
    private let quiet: Duration
    private let patience: Duration
    private let clock: any Clock<Duration>
    private let first: FileIdentity?

    /// Remembers the file as it is now; make it before the file is read for the first time.
    ///
    /// - Parameters:
    ///   - quiet: nothing must have happened for so long before the file is looked at, since writers take several steps.
    ///   - patience: where it is never quiet, the file is looked at this long after the first change.
    package init(
        path: String, quiet: Duration = .milliseconds(200), patience: Duration = .seconds(2),
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.path = path
        self.quiet = quiet
        self.patience = patience
        self.clock = clock
        first = FileIdentity(path)
    }

    /// Watches until cancelled.
    ///
    /// - Parameters:
    ///   - onWatching: called once; what changes from then on is noticed.
    ///   - changed: the path leads to other content, or nowhere any more.
    /// - Throws: ``HostError`` when the host allows no more watches.
    package func run(onWatching: () -> Void = {}, changed: () async -> Void) async throws {
        let events = try DirectoryEvents()
        var known = first
        watchTrail(events)
        onWatching()
        if let changedBefore = difference(from: known) {
            known = changedBefore.identity
            await changed()
        }
        for await _ in events.happened {
            try await settle(events)
            watchTrail(events)
            guard let difference = difference(from: known) else { continue }
            known = difference.identity
            await changed()
        }
    }

    private func difference(from known: FileIdentity?) -> (identity: FileIdentity?, Void)? {
        let now = FileIdentity(path)
        return now == known ? nil : (now, ())
    }

    private func settle(_ events: DirectoryEvents) async throws {
        var waited = Duration.zero
        var count: Int
        repeat {
            count = events.count
            try await clock.sleep(for: quiet)
            waited += quiet
        } while events.count != count && waited < patience
    }

    /// The way to the file may be another one now.
    private func watchTrail(_ events: DirectoryEvents) {
        // A directory may vanish between being found and being watched; the next look finds what is there instead.
        for _ in 0..<3 where events.watch(FileTrail.directories(leadingTo: path)) { return }
    }
}
