import Testing

private let longestFile = 600
private let longestFunction = 60

private func longFiles(_ files: [HouseTree.SourceFile]) -> [String] {
    files.filter { $0.text.hasSuffix("\n") ? $0.lines.count - 1 > longestFile : $0.lines.count > longestFile }
        .map { "\($0.path): \($0.lines.count) lines" }
}

private func longFunctions(_ files: [HouseTree.SourceFile]) -> [String] {
    files.flatMap { file in
        file.code.functions()
            .filter { $0.length > longestFunction && !$0.isFullSwitch }
            .map { "\(file.path):\($0.firstLine): \($0.name) has \($0.length) lines" }
    }
}

@Suite struct SizeTests {
    @Test func `no file is longer than 600 lines`() throws {
        let broken = try longFiles(HouseTree.sources + HouseTree.tests)
        #expect(broken == [])
    }

    @Test func `no function is longer than 60 lines unless it is one full switch`() throws {
        let broken = try longFunctions(HouseTree.sources)
        #expect(broken == [])
    }

    @Test func `a long file is caught`() {
        let text = String(repeating: "let a = 1\n", count: 601)
        #expect(longFiles([.init(path: "Sources/Edge/A.swift", text: text)]).count == 1)
        #expect(longFiles([.init(path: "Sources/Edge/A.swift", text: String(text.dropLast(10)))]) == [])
    }

    @Test func `a long function is caught, with its signature spread over lines`() {
        let body = String(repeating: "    let a = \"}\" // }\n", count: 59)
        let text = "func f(\n    a: Int\n) async throws\n    -> Int\n{\n\(body)}\nfunc g() {}\n"
        #expect(longFunctions([.init(path: "Sources/Edge/A.swift", text: text)]).count == 1)
    }

    @Test func `a requirement without a body, and a function of 60 lines, pass`() {
        let body = String(repeating: "    let a = 1\n", count: 58)
        let text = "protocol P {\n    func f(a: Int)\n    init()\n}\nfunc g() {\n\(body)}\n"
        #expect(longFunctions([.init(path: "Sources/Edge/A.swift", text: text)]) == [])
    }

    @Test func `one full switch may be long`() {
        let cases = String(repeating: "    case 1: return 2\n", count: 80)
        let text = "func f(_ a: Int) -> Int {\n    switch a {\n\(cases)    }\n}\n"
        #expect(longFunctions([.init(path: "Sources/Edge/A.swift", text: text)]) == [])
    }
}
