import Access
package import AccessPolicy
package import EdgeStore

/// The store as the policy cache reads it.
package struct StorePolicySource: PolicySource {
    private let store: any ClusterStore

    package init(store: any ClusterStore) {
        self.store = store
    }

    package func version() async throws -> Int {
        try await store.version()
    }

    package func load() async throws -> AccessSnapshot {
        try await store.access()
    }
}
