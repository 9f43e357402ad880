import Dispatch
import Glibc

/// A signal that this program answers to.
package enum ProcessSignal: Sendable, Hashable, CaseIterable {
    /// SIGTERM: stop gracefully.
    case terminate
    /// SIGINT: the same, from a keyboard.
    case interrupt
    /// SIGHUP: read the configuration again.
    case hangUp

    var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        }
    }

    /// The name in the official log line "Initiating graceful shutdown due to signal … ...".
    package var name: String {
        switch self {
        case .terminate: "terminated"
        case .interrupt: "interrupt"
        case .hangUp: "hangup"
        }
    }
}

/// Signals as a sequence. The first SIGTERM or SIGINT is an element; the second one has its default effect and ends the
/// process at once.
///
/// Lives as long as the program reacts to signals: to its end. SIGPIPE is ignored
/// from the first instance on, for good: a peer that went away is an error of its socket, not the end of the process.
package final class ProcessSignals: Sendable {
    /// What arrived, in order. For one reader.
    package let events: AsyncStream<ProcessSignal>
    private let continuation: AsyncStream<ProcessSignal>.Continuation
    // Safety: the sources are made in init and only cancelled in deinit; DispatchSource itself is thread-safe.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// Returns when every signal is watched: one sent before that has its default effect.
    package init(watching watched: Set<ProcessSignal> = [.terminate, .interrupt]) async {
        signal(SIGPIPE, SIG_IGN)
        // Nobody sends signals faster than they are read; if so, the oldest are the ones that count.
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(8))
        sources = watched.map { watchedSignal in
            // On Linux the source installs its own disposition; an ignored signal would never reach it.
            DispatchSource.makeSignalSource(signal: watchedSignal.number, queue: .global())
        }
        for (source, watchedSignal) in zip(sources, watched) {
            source.setEventHandler { [continuation] in
                if watchedSignal != .hangUp { Self.restoreDefaultForStopSignals() }
                continuation.yield(watchedSignal)
            }
            await withCheckedContinuation { registered in
                source.setRegistrationHandler { registered.resume() }
                source.resume()
            }
        }
    }

    deinit {
        for source in sources { source.cancel() }
        continuation.finish()
    }

    /// Waits for the first signal that asks the program to stop; nil when cancelled.
    package func firstStop() async -> ProcessSignal? {
        for await event in events where event != .hangUp { return event }
        return nil
    }

    private static func restoreDefaultForStopSignals() {
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
    }
}
