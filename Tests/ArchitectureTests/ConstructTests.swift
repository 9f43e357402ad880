import Testing

/// Constructs that the house rules keep out, each with the reason shown when one is found.
private struct Ban {
    let what: String
    /// A word that every such construct has: a regular expression is slow over all lines of the house.
    let word: String
    let pattern: any RegexComponent

    /// In program code: nothing unowned, nothing that can stop the process, nothing for outside users.
    static var inSources: [Ban] {
        [
            Ban(
                what: "unstructured task", word: "Task",
                pattern: /(?:^|[^.\w])Task\s*(?:<[^>{]*>)?\s*(?:\([^){]*\))?\s*\{|\bTask\.(?:detached|immediate)/),
            Ban(what: "try!", word: "try!", pattern: /\btry!/),
            Ban(what: "forced cast", word: "as!", pattern: /\bas!/),
            Ban(what: "fatalError", word: "fatalError", pattern: /\bfatalError\s*\(/),
            Ban(
                what: "public", word: "public",
                pattern:
                    /\bpublic\s+(?!import)(?:\w+\s+)*(?:func|var|let|class|struct|enum|actor|protocol|init|extension|typealias)\b/
            ),
            Ban(what: "open class", word: "open", pattern: /\bopen\s+(?:\w+\s+)*(?:func|var|class|init)\b/),
            Ban(what: "public import", word: "public", pattern: /\bpublic\s+import\b/),
        ]
    }

    static var inTests: [Ban] {
        [
            Ban(
                what: "sleep", word: "sleep",
                pattern: /\b(?:Task|Thread)\.sleep\b|\b(?:usleep|nanosleep)\s*\(|^\s*sleep\s*\(/)
        ]
    }
}

private func found(_ bans: [Ban], in files: [HouseTree.SourceFile]) -> [String] {
    files.flatMap { file in
        file.code.lines.enumerated().flatMap { number, line in
            bans.filter { line.contains($0.word) && line.contains($0.pattern) }.map {
                "\(file.path):\(number + 1): \($0.what)"
            }
        }
    }
}

/// A promise to the compiler must stand under a comment that says who keeps it.
private func unexplainedPromises(in files: [HouseTree.SourceFile]) -> [String] {
    files.flatMap { file in
        let lines = file.lines
        return file.code.lines.enumerated().compactMap { number, line -> String? in
            guard line.contains("unchecked") || line.contains("unsafe"),
                line.contains(/@unchecked\s+Sendable|nonisolated\(unsafe\)/)
            else { return nil }
            let comment = lines[..<number].reversed().prefix { above in
                above.contains(/^\s*(?:\/\/|@)/)
            }
            return comment.contains { $0.contains("Safety:") } ? nil : "\(file.path):\(number + 1): no Safety: line"
        }
    }
}

private let marks = ["TODO", "FIXME", "XXX"]

private func unfinished(in files: [HouseTree.SourceFile]) -> [String] {
    files.flatMap { file in
        file.lines.enumerated().compactMap { number, line in
            marks.contains { line.contains($0) } && line.contains(/\b(?:TODO|FIXME|XXX)\b/)
                ? "\(file.path):\(number + 1): unfinished" : nil
        }
    }
}

@Suite struct ConstructTests {
    @Test func `sources hold no unstructured task, no trap by choice and nothing public`() throws {
        let broken = try found(Ban.inSources, in: HouseTree.sources)
        #expect(broken == [])
    }

    @Test func `every promise to the compiler says who keeps it`() throws {
        let broken = try unexplainedPromises(in: HouseTree.sources)
        #expect(broken == [])
    }

    @Test func `nothing is marked as unfinished`() throws {
        let files = try HouseTree.sources + HouseTree.tests
        #expect(unfinished(in: files.filter { $0.target != "ArchitectureTests" }) == [])
    }

    @Test func `tests do not sleep`() throws {
        // Benchmarks are a program, not tests: time is their subject.
        let files = try HouseTree.tests.filter { $0.target != "Benchmarks" }
        let broken = found(Ban.inTests, in: files)
        #expect(broken == [])
    }

    @Test(arguments: [
        "Task { await work() }", "let a = Task<Int, Never> {", "_ = Task(priority: .high) { }", "Task.detached { }",
        "let a = try! work()", "let b = a as! Int", "fatalError(\"no\")", "public struct A {}",
        "public static func f() {}", "public import NIOCore",
    ])
    func `a banned construct is caught`(line: String) {
        #expect(found(Ban.inSources, in: [.init(path: "Sources/Edge/A.swift", text: line)]).count == 1)
    }

    @Test(arguments: [
        "// Task { }", "let a = \"try! as! fatalError(\"", "withTaskGroup(of: Int.self) { group in",
        "group.addTask { }", "let open = true", "/* public struct A */", "package struct PublicSuffix {}",
        "Task.isCancelled", "case open, closed",
    ])
    func `what only looks banned passes`(line: String) {
        #expect(found(Ban.inSources, in: [.init(path: "Sources/Edge/A.swift", text: line)]) == [])
    }

    @Test func `a promise without its reason is caught`() {
        let bare = "final class A: @unchecked Sendable {}"
        let reasoned = "// Safety: only the event loop touches it,\n// which A checks.\n\(bare)"
        #expect(unexplainedPromises(in: [.init(path: "Sources/Edge/A.swift", text: bare)]).count == 1)
        #expect(unexplainedPromises(in: [.init(path: "Sources/Edge/A.swift", text: reasoned)]) == [])
    }

    @Test(arguments: [
        "try await Task.sleep(for: .seconds(1))", "usleep(3)", "sleep(1)", "Thread.sleep(forTimeInterval: 1)",
    ])
    func `a sleeping test is caught`(line: String) {
        #expect(found(Ban.inTests, in: [.init(path: "Tests/EdgeTests/A.swift", text: line)]).count == 1)
    }
}
