import Access
package import AccessPolicy
package import EdgeStore
import ServiceHost

/// The store as the policy cache reads it, within a deadline.
package struct StorePolicySource: PolicySource {
    private let store: any ClusterStore
    private let deadline: Duration

    /// - Parameter deadline: of one read. A store of ours answers in milliseconds, or waits five seconds for a lock.
    package init(store: any ClusterStore, deadline: Duration = .seconds(6)) {
        self.store = store
        self.deadline = deadline
    }

    package func version() async throws -> Int {
        try await inTime { [store] in try await store.version() }
    }

    package func load() async throws -> AccessSnapshot {
        try await inTime { [store] in try await store.access() }
    }

    private func inTime<Value: Sendable>(_ read: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let outcome = await withDeadline(deadline) { () async -> Result<Value, any Error> in
            do { return .success(try await read()) } catch { return .failure(error) }
        }
        guard let outcome else {
            try Task.checkCancellation()
            throw StoreError(
                .unavailable, "no answer within \(deadline); look at its disk and for a process that holds it")
        }
        return try outcome.get()
    }
}
