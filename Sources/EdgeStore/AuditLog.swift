import Foundation
import Synchronization

/// The record of what was decided, as hash-chained JSON lines. Lives as long as the edge.
///
/// `record` may be called from anywhere, event loops too: it only puts the event into a bounded queue. `run` writes.
package final class AuditLog: Sendable {
    private struct Queue {
        var events: [AuditEvent] = []
        var lost = 0
    }

    /// Some seconds of a busy edge.
    private static let mostQueued = 16_384

    private let file: AuditFile
    private let failed: @Sendable (StoreError) -> Void
    private let queue = Mutex(Queue())
    private let news: AsyncStream<Void>
    private let newsSource: AsyncStream<Void>.Continuation

    /// - Parameter failed: told when writing begins to fail; the events are lost, and counted in the log when it works
    ///   again.
    package init(path: String, failed: @escaping @Sendable (StoreError) -> Void = { _ in }) {
        file = AuditFile(path: path)
        self.failed = failed
        (news, newsSource) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package var path: String { file.path }

    /// Puts an event into the queue; when it is full, the event is lost and counted.
    package nonisolated func record(_ event: AuditEvent) {
        let event = event.bounded
        queue.withLock { queue in
            if queue.events.count < Self.mostQueued { queue.events.append(event) } else { queue.lost += 1 }
        }
        newsSource.yield()
    }

    /// Writes what was recorded until the task is cancelled, and then what is left.
    package func run() async {
        var isFailing = false
        for await _ in news { await writeQueued(&isFailing) }
        let rest = take()
        guard !rest.isEmpty else { return }
        do { try await file.append(rest) } catch { report(error, &isFailing) }
    }

    /// Writes events at once: for programs that end.
    package func write(_ events: [AuditEvent]) async throws {
        try await file.append(events)
    }

    private func writeQueued(_ isFailing: inout Bool) async {
        let events = take()
        guard !events.isEmpty else { return }
        do {
            try await file.append(events)
            isFailing = false
        } catch {
            queue.withLock { $0.lost += events.count }
            report(error, &isFailing)
        }
    }

    private func report(_ error: any Error, _ isFailing: inout Bool) {
        if !isFailing {
            failed(
                error as? StoreError ?? StoreError(.unavailable, "the audit log cannot be written", cause: error))
        }
        isFailing = true
    }

    private func take() -> [AuditEvent] {
        queue.withLock { queue in
            var events = queue.events
            if queue.lost > 0, let last = events.last {
                var gap = AuditEvent(.lost, at: last.time)
                gap.reason = "\(queue.lost) events"
                events.append(gap)
                queue.lost = 0
            }
            queue.events = []
            return events
        }
    }
}
