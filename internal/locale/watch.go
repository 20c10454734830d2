package locale

// watching are the texts of the terminal view.
func watching() map[string]string {
	return map[string]string{
		"ADDRESSES": "虚拟内存",
		"USABLE":    "可访问",
		"GROWTH":    "增长",
		"NAME":      "名称",
		"PERMS":     "权限",
		"addresses": "虚拟内存",
		"growth":    "增长",
		"usable":    "可访问",
		"count":     "个数",
		"name":      "名称",
		"function":  "函数",
		"thread":    "线程",
		"file":      "文件",
		"processes": "进程",

		"reading ...":                          "读取中 ...",
		"reading this moment ...":              "正在读取此刻 ...",
		" [paused]":                            " [已暂停]",
		" [ended]":                             " [已结束]",
		" (ended)":                             "（已结束）",
		"  %s  %s mapped, %s resident":         "  %s  已映射 %s，驻留 %s",
		", %s given back":                      "，已归还 %s",
		"  event %d":                           "  事件 %d",
		"%s by %s":                             "%s，按%s",
		"%s, by %s":                            "%s，按%s排序",
		", growth since %s":                    "，增长自 %s 起",
		", filter %s":                          "，过滤 %s",
		"sorted by %s":                         "按%s排序",
		"listed by %s":                         "按%s列出",
		"growth counts from here":              "增长从此刻算起",
		"written to %s":                        "已写入 %s",
		"only totals are known at this moment": "此刻只有合计",
		"  only totals are known at this moment: esc": "  此刻只有合计：esc",
		"  nothing fits the filter: / and esc end it": "  没有符合过滤条件的：/ 和 esc 取消过滤",
		"  nothing at this moment":                    "  此刻没有内容",
		"q quit  enter deeper  esc back  s sort  b list by  / filter  space pause  < > time  m mark  w write  ? help": "q 退出  enter 深入  esc 返回  s 排序  b 分组  / 过滤  space 暂停  < > 时间  m 标记  w 写出  ? 帮助",
		`vmblame watch: processes > what they have > its parts > mappings > the stack and the history of one

  up down pgup pgdn home end   move the cursor
  enter, esc                   one level deeper, back
  s, S                         the next order, the one before: addresses, growth, resident, usable, count, name
  b                            list by kind, function, thread, file
  /                            show only lines with a text; esc ends it
  space                        pause; once more: the newest moment again
  left right [ ] g G           back and on in time, in steps, to the beginning, to the end
  m                            growth counts from this moment
  w                            write the report of this moment to a file, as report --json does
  q                            end; a process that was attached to is left as it was

COURSE draws the last moments up to the one that is shown. ? is what was not counted.
any key goes back`: `vmblame watch：进程 > 占用了什么 > 各部分 > 映射 > 某个映射的调用栈和历史

  up down pgup pgdn home end   移动光标
  enter, esc                   深入一层、返回
  s, S                         下一种排序、上一种：虚拟内存、增长、驻留、可访问、个数、名称
  b                            按种类、函数、线程、文件列出
  /                            只显示含某段文字的行；esc 取消
  space                        暂停；再按一次回到最新时刻
  left right [ ] g G           在时间上后退、前进，小步、大步，到开始、到结束
  m                            增长从此刻算起
  w                            把此刻的报告写入文件，同 report --json
  q                            结束；被附加的进程保持原样

走势画出直到所示时刻的最近若干时刻。? 表示未统计。
按任意键返回`,
	}
}
