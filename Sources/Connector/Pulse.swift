import Synchronization

/// Something that happens again and again; who waits, waits for the next time.
///
/// Take `next` before looking at the state that the news may change: what happens in between is not missed then.
final class Pulse: Sendable {
    private let gate = Mutex(Gate())

    /// Opens at the next beat.
    var next: Gate { gate.withLock { $0 } }

    func beat() {
        let passed = gate.withLock { gate in
            defer { gate = Gate() }
            return gate
        }
        passed.open()
    }
}
