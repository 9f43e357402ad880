import Access
package import AccessPolicy
package import EdgeStore
import ServiceHost

/// The store as the policy cache reads it.
package struct StorePolicySource: PolicySource {
    private let store: any ClusterStore

    /// A store that takes longer does not answer.
    private static let patience = Duration.seconds(5)

    package init(store: any ClusterStore) {
        self.store = store
    }

    package func version() async throws -> Int {
        try await answer { try await $0.version() }
    }

    package func load() async throws -> AccessSnapshot {
        try await answer { try await $0.access() }
    }

    private func answer<Value: Sendable>(
        _ question: @escaping @Sendable (any ClusterStore) async throws -> Value
    ) async throws -> Value {
        let answer = await withDeadline(Self.patience) { [store] () -> Result<Value, any Error> in
            do { return .success(try await question(store)) } catch { return .failure(error) }
        }
        guard let answer else { throw StoreError(.unavailable, "the store did not answer within \(Self.patience)") }
        return try answer.get()
    }
}
